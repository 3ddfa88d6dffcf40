"""The sandbox: what a child may not do, what becomes of one that ends, and that its numbers are the functions' own."""

import importlib.util
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, RLELossless

from diagnoses.imaging import MAX_PIXELS, depth, display, frames, lossless, patient, printed, sandbox, zygote
from diagnoses.imaging.confinement import Limits
from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.heatmap import encode
from diagnoses.imaging.intake import inspect
from diagnoses.imaging.zygote import ZYGOTE, ChildLostError, SandboxError, Zygote
from tests import pictures

_PHANTOM = pictures.phantom(160, 130)
_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def naughty() -> Iterator[Zygote]:
    """A helper whose children do as they are told."""
    helper = Zygote("tests.diagnoses.imaging.naughty")
    yield helper
    helper.close()


def _attempt(naughty: Zygote, what: str) -> str:
    return naughty.ask("attempt", [what.encode()]).body.tobytes().decode()


def _ending(naughty: Zygote, how: str, limits: Limits | None = None) -> str:
    with pytest.raises(ChildLostError) as caught:
        naughty.ask("end", [how.encode()], limits=limits)
    assert caught.value.fault is ImageFault.DAMAGED
    return caught.value.ending


def _compressed(syntax: str) -> bytes:
    dataset = dcmread(BytesIO(pictures.dicom(_PHANTOM.astype(np.uint16) * 16, BitsStored=12, HighBit=11)))
    dataset.compress(syntax)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


_DEEP = _PHANTOM.astype(np.uint16) * 16
_FILES = {
    "PNG": pictures.png(_PHANTOM),
    "PNG of 16 bits": pictures.png(_DEEP),
    "PNG in colour": pictures.png(np.dstack([_PHANTOM, 255 - _PHANTOM, _PHANTOM])),
    "JPEG": pictures.jpeg(_PHANTOM),
    "DICOM": pictures.dicom(_DEEP, BitsStored=12, HighBit=11, PatientID="P-1", PatientBirthDate="20010203"),
    "DICOM with a window": pictures.dicom(
        _DEEP, WindowCenter=2000, WindowWidth=900, PatientAge="003Y", ViewPosition="PA", RescaleSlope=2
    ),
    "RLE": _compressed(RLELossless),
    "JPEG 2000": _compressed(JPEG2000Lossless),
}


# The same as without


@pytest.mark.parametrize("name", _FILES)
def test_a_child_gives_what_the_function_gives_bit_for_bit(name: str) -> None:
    data = _FILES[name]
    here, there = decode(data), sandbox.decode(data)
    np.testing.assert_array_equal(here.pixels, there.pixels)
    assert (here.chroma, here.facts) == (there.chroma, there.facts)
    assert sandbox.inspect(data, 10_000_000) == inspect(data, 10_000_000)
    assert sandbox.packed_picture(data) == depth.full_picture(data).packed()
    assert sandbox.display_jpeg(data) == display.display_jpeg(data)
    assert sandbox.draw(data) == lossless.draw(data)
    heat = encode(np.eye(7, dtype=np.float32), 0.1)
    assert sandbox.printed(data, heat) == printed.printed(data, heat)


def test_a_patient_is_read_in_a_child_as_by_the_function() -> None:
    data = _FILES["DICOM"]
    assert sandbox.patient_of(data) == patient.patient_of(data)
    assert str(sandbox.patient_of(data).birth_date) == "2001-02-03"


@pytest.mark.parametrize("data", [b"", b"text", _FILES["PNG"][:-3000], pictures.dicom(_PHANTOM, Modality="MR")])
def test_a_refusal_comes_back_with_its_words_and_facts(data: bytes) -> None:
    with pytest.raises(ImageError) as here:
        inspect(data, 10_000_000)
    with pytest.raises(ImageError) as there:
        sandbox.inspect(data, 10_000_000)
    assert (here.value.fault, here.value.message, here.value.said) == (
        there.value.fault,
        there.value.message,
        there.value.said,
    )


def test_the_largest_picture_that_is_taken_fits_into_a_childs_memory() -> None:
    """40 megapixels of 16 bits, with a window; and the same in colour as PNG."""
    pixels = np.zeros((6320, 6320), np.uint16)
    pixels[::7, ::11] = 4095
    deep = pictures.dicom(pixels, WindowCenter=2000, WindowWidth=900, RescaleSlope=1.5, RescaleIntercept=0)
    assert sandbox.decode(deep).pixels.shape == (6320, 6320)
    assert len(sandbox.packed_picture(deep)) > 2 * pixels.size
    assert sandbox.decode(pictures.png(np.dstack([pixels] * 3))).pixels.shape == (6320, 6320)


def test_no_decoder_is_there_that_ends_its_process_on_a_rust_panic() -> None:
    """pydicom reads run lengths itself; pylibjpeg-rle would be preferred by none here, and aborts on false sizes."""
    assert importlib.util.find_spec("rle") is None


def test_opencv_is_told_what_intake_takes(naughty: Zygote) -> None:
    assert _attempt(naughty, "most pixels") == str(MAX_PIXELS)


_FUNCTIONS = (
    "(decode|full_picture|display_jpeg|printed|draw|inspect|patient_of|read_header|facts_of|grey_levels|stored_values)"
)
_TOUCHES = re.compile(
    rf"from diagnoses\.imaging\.(?!sandbox)\w+ import [^\n]*\b{_FUNCTIONS}\b"
    rf"|\b(decode|depth|dicom|display|intake|lossless|patient|printed)\.{_FUNCTIONS}\("
    r"|import (cv2|pydicom)\b|from (PIL|pydicom)\b"
)


def test_whoever_serves_looks_into_a_file_in_the_sandbox_alone() -> None:
    rooms = [_ROOT / "diagnoses" / name for name in ("api", "reports", "selectors", "services", "views", "storage")]
    files = [path for room in rooms for path in room.rglob("*.py")]
    files += [*(_ROOT / "workers").glob("*.py"), _ROOT / "workers" / "inference" / "reader.py"]
    assert len(files) > 50
    found = {str(path.relative_to(_ROOT)): match[0] for path in files if (match := _TOUCHES.search(path.read_text()))}
    assert found == {}


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("characters", ["ISO_IR 100", "ISO_IR 192", "GB18030", "cp1252", "koi8-r", "no such"])
def test_a_patients_name_is_read_in_a_child_whatever_encoding_is_named(characters: str) -> None:
    data = pictures.dicom(_PHANTOM, SpecificCharacterSet="ISO_IR 100", PatientID="P-1", PatientName="X^Y")
    data = data.replace(b"ISO_IR 100", characters.encode().ljust(10)[:10])
    assert sandbox.patient_of(data) == patient.patient_of(data)
    assert sandbox.patient_of(data).patient_id == "P-1"


def test_a_jpeg_of_several_pictures_is_read_in_a_child_as_without() -> None:
    """Pillow has a module of its own for it, which a child could no longer load."""
    buffer = BytesIO()
    first, second = (Image.fromarray(pictures.phantom(160, 130, seed)) for seed in (0, 1))
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    assert sandbox.inspect(buffer.getvalue(), 10_000_000) == inspect(buffer.getvalue(), 10_000_000)


# What a child may not do


@pytest.mark.parametrize(
    "what",
    [
        "read a file",
        "write a file",
        "call somebody",
        "run a program",
        "become a program",
        "go on in another process",
        "environment at its start",
        "signal its parent",
        "trace its parent",
        "read its parent's memory",
        "limit its parent",
        "share memory",
    ],
)
def test_a_child_reaches_nothing(naughty: Zygote, what: str) -> None:
    assert _attempt(naughty, what).startswith("PermissionError: [Errno 1] Operation not permitted")
    assert not Path("/tmp/out_of_the_sandbox").exists()


@pytest.mark.parametrize("what", ["read a file", "write a file", "call somebody", "run a program"])
def test_where_the_kernel_filters_nothing_a_child_opens_nothing_all_the_same(what: str) -> None:
    helper = Zygote("tests.diagnoses.imaging.unfiltered")
    try:
        assert "Too many open files" in _attempt(helper, what)
    finally:
        helper.close()
    assert not Path("/tmp/out_of_the_sandbox").exists()


def test_a_child_does_not_lift_its_limits(naughty: Zygote) -> None:
    assert "Error" in _attempt(naughty, "lift the limits")


def test_a_child_knows_nothing_of_its_parents_environment(naughty: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CXR_SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "a secret")
    helper = Zygote("tests.diagnoses.imaging.naughty")
    try:
        said = _attempt(helper, "environment")
        assert "OPENCV_IO_MAX_IMAGE_PIXELS" in said
        assert not any(word in said for word in ("CXR", "DATABASE", "REDIS", "DJANGO", "HOME"))
        assert helper.process
        assert b"secret" not in Path(f"/proc/{helper.process.pid}/environ").read_bytes()
    finally:
        helper.close()


def test_a_child_holds_no_descriptor_but_its_own_channel(naughty: Zygote) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert _attempt(naughty, "write to what is open") == "[3]"


def test_a_child_has_limits_and_can_get_no_privileges(naughty: Zygote) -> None:
    assert _attempt(naughty, "limits") == "[0, 0, 0, 31]"
    naughty.start()
    assert naughty.process
    assert "NoNewPrivs:\t1\n" in Path(f"/proc/{naughty.process.pid}/status").read_text()


# What becomes of one that ends


@pytest.mark.parametrize(
    ("how", "limits", "said"),
    [
        ("raise", None, "NotAnExceptionError: out of a native library"),
        ("exit", None, "SystemExit: 3"),
        ("abort", None, "SIGABRT"),
        ("fault", None, "SIGSEGV"),
        ("leave", None, "exit status 7"),
        ("take memory", Limits(memory_bytes=200_000_000), "MemoryError"),
        ("spin", Limits(cpu_seconds=1), "SIGXCPU"),
        ("sleep", Limits(wall_seconds=0.3), "SIGKILL"),
    ],
)
def test_a_file_that_ends_its_child_is_damaged_and_the_next_is_read(
    naughty: Zygote, how: str, limits: Limits | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert said in _ending(naughty, how, limits)
    assert said in caplog.text
    assert naughty.ask("echo", [b"next"]).body.tobytes() == b"next"


def test_a_helper_that_is_killed_is_started_anew(naughty: Zygote) -> None:
    naughty.start()
    assert naughty.process
    before = naughty.process.pid
    os.kill(before, signal.SIGKILL)
    assert naughty.ask("echo", [b"again"]).body.tobytes() == b"again"
    assert naughty.process.pid != before


def test_a_helper_that_ends_over_each_file_is_no_endless_loop() -> None:
    helper = Zygote("tests.diagnoses.imaging.ending")
    with pytest.raises(SandboxError):
        helper.ask("echo", [b"a file"])
    helper.close()


def test_others_are_answered_while_the_helper_is_killed_under_them(naughty: Zygote) -> None:
    naughty.start()
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(naughty.ask, "whoami", [b""]) for _ in range(8)]
        time.sleep(0.1)
        assert naughty.process
        naughty.process.kill()
        assert all(answer.result().body.size for answer in answers)


def test_several_files_at_once_have_a_child_each_and_no_more_than_there_is_room_for(naughty: Zygote) -> None:
    naughty.start()
    assert naughty.process
    helper, most, done = psutil.Process(naughty.process.pid), 0, threading.Event()

    def count() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, len([one for one in helper.children() if one.status() != psutil.STATUS_ZOMBIE]))

    counting = threading.Thread(target=count)
    counting.start()
    with ThreadPoolExecutor(8) as threads:
        said = [answer.body.tobytes() for answer in threads.map(lambda _: naughty.ask("whoami", [b""]), range(8))]
    done.set()
    counting.join()
    assert len(set(said)) == 8
    assert 2 <= most <= max(2, os.cpu_count() or 1) + 1  # one that has answered may not be gone yet


# Answers are not believed


@pytest.mark.parametrize(
    "answer",
    [
        struct.pack("!cIQQ", b"A", 0, 1 << 40, 0),
        struct.pack("!cIQQ", b"A", 1 << 30, 0, 0),
        struct.pack("!cIQQ", b"R", 2, 0, 0) + b"{}",
        struct.pack("!cIQQ", b"R", 4, 0, 0) + b"null",
        struct.pack("!cIQQ", b"Z", 0, 0, 0),
        struct.pack("!cIQQ", b"A", 9, 9, 0) + b"short",
        b"",
    ],
)
def test_an_answer_that_is_none_makes_no_room_and_no_value(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((frames.FrameError, frames.CutShortError, frames.FailedError)):
            frames.receive_answer(ours)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b'{"shape": [100, 100], "chroma": 0, "facts": null}',
        b'{"shape": [-1, 0], "chroma": 0, "facts": null}',
        b'{"shape": [0, 0], "chroma": "much", "facts": null}',
        b'{"shape": [0, 0], "chroma": 0, "facts": {"view_position": 1}}',
    ],
)
def test_a_picture_whose_words_and_bytes_do_not_agree_is_damaged(
    naughty: Zygote, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZYGOTE, "ask", lambda *args: naughty.ask("say", [head]))
    with pytest.raises(ChildLostError):
        sandbox.decode(b"")


# Where it runs


_ASK = "from diagnoses.imaging import sandbox; from tests import pictures; import os, sys\n"
_FORKED = """
sandbox.inspect(data, 10**7)
pid = os.fork()
if pid == 0:
    sandbox.inspect(data, 10**7)
    os._exit(sandbox.ZYGOTE.process.pid == int(sys.argv[1]) if len(sys.argv) > 1 else 0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sandbox.inspect(data, 10**7).width)
"""


def test_a_process_that_was_forked_has_a_helper_of_its_own_and_leaves_its_parents_alone() -> None:
    """As the worker's processes are."""
    code = _ASK + "data = pictures.png(pictures.phantom(160, 130))" + _FORKED
    said = subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == ["0", "160"], said.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_helper_ends_with_its_parent_however_that_ends(how: signal.Signals) -> None:
    code = _ASK + "sandbox.start(); print(sandbox.ZYGOTE.process.pid, flush=True); sys.stdin.read()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        helper = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(how)
        parent.wait()
        psutil.wait_procs([helper], timeout=10)
        assert not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE


def test_signals_for_the_whole_group_do_not_reach_the_helper() -> None:
    """Whoever serves ends in its own time, with its files decoded."""
    ZYGOTE.start()
    assert ZYGOTE.process
    assert os.getsid(ZYGOTE.process.pid) == ZYGOTE.process.pid
    os.kill(ZYGOTE.process.pid, signal.SIGTERM)
    time.sleep(0.1)
    assert sandbox.inspect(_FILES["PNG"], 10_000_000).width == 160
    assert zygote.ZYGOTE.process is ZYGOTE.process
