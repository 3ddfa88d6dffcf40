"""ZIP archives: what is taken out of one, and every archive that is built to do harm."""

import struct
import tracemalloc
import zipfile
import zlib
from io import BytesIO

import pytest

from diagnoses.imaging.archive import MAX_ENTRIES, MAX_UNPACKED_BYTES, SMALL_BYTES, Budget, Entry, entries_of, unpack
from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures
from tests.zips import Part, built, deflated, packed

PICTURE = pictures.png(pictures.phantom())


def look(data: bytes, budget: Budget | None = None) -> list[Entry]:
    return entries_of(BytesIO(data), budget or Budget())


def content(data: bytes, number: int = 0) -> bytes:
    return b"".join(unpack(BytesIO(data), look(data)[number]))


def refusal_of_all(data: bytes) -> ImageFault:
    with pytest.raises(ImageError) as raised:
        look(data)
    return raised.value.fault


def refusal_of_one(data: bytes, number: int = 0) -> ImageFault:
    with pytest.raises(ImageError) as raised:
        content(data, number)
    return raised.value.fault


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_ordinary_zip_gives_back_what_was_packed(method: int) -> None:
    data = packed({"ward/1.png": PICTURE, "ward/2.png": b"", "ward/3.dcm": bytes(300_000)}, method, b"of the ward")
    assert [entry.name for entry in look(data)] == ["ward/1.png", "ward/2.png", "ward/3.dcm"]
    assert [content(data, number) for number in range(3)] == [PICTURE, b"", bytes(300_000)]


def test_a_zip_written_as_a_stream_is_taken_whose_sizes_follow_the_content() -> None:
    class Stream(BytesIO):
        def seekable(self) -> bool:
            return False

    buffer = Stream()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", PICTURE)
        archive.writestr("2.png", PICTURE[:100])
    assert content(buffer.getvalue(), 1) == PICTURE[:100]


def test_folders_hidden_files_and_what_systems_add_are_left_out() -> None:
    names = ["a/", ".DS_Store", "__MACOSX/a/._1.png", ".git/config", "DICOMDIR", "a/Thumbs.db", "a/1.png"]
    assert [entry.name for entry in look(packed(dict.fromkeys(names, b"x")))] == ["a/1.png"]


def test_a_zip_whose_entries_overlap_is_refused() -> None:
    parts = [Part(b"1.png", PICTURE), Part(b"1.png", PICTURE)]
    data = built(*parts, at={1: 0})
    assert len(zipfile.ZipFile(BytesIO(data)).namelist()) == 2, "Python's own reader takes it"
    assert refusal_of_all(data) is ImageFault.ARCHIVE_DAMAGED


def test_a_zip_whose_entries_lie_within_each_other_is_refused() -> None:
    inner = Part(b"2.png", b"short", method=0)
    outer = Part(b"1.png", inner.header(is_local=True) + inner.packed_content, method=0)
    whole = built(outer, inner)
    place = len(outer.header(is_local=True))
    real = len(outer.header(is_local=True) + outer.packed_content)
    directory = whole.rindex(b"PK\1\2")
    data = whole[: directory + 42] + place.to_bytes(4, "little") + whole[directory + 46 :]
    assert real != place
    assert refusal_of_all(data) is ImageFault.ARCHIVE_DAMAGED


def test_a_zip_bomb_is_refused_by_its_ratio() -> None:
    assert refusal_of_all(packed({"bomb.dcm": bytes(20 * SMALL_BYTES)})) is ImageFault.ARCHIVE_BOMB


def test_a_small_file_may_pack_as_well_as_it_likes() -> None:
    assert content(packed({"blank.dcm": bytes(SMALL_BYTES)})) == bytes(SMALL_BYTES)


def test_a_zip_that_holds_more_than_it_says_is_a_bomb_and_costs_no_memory() -> None:
    hidden = deflated(bytes(64 * SMALL_BYTES))
    data = built(Part(b"1.png", b"x" * 1000, content=hidden))
    tracemalloc.start()
    try:
        assert refusal_of_one(data) is ImageFault.ARCHIVE_BOMB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SMALL_BYTES


def test_a_zip_that_says_more_than_is_taken_is_refused_unopened() -> None:
    most = MAX_UNPACKED_BYTES
    parts = [Part(b"%d" % n, b"", content=bytes(most // 200), says_unpacked=most // 2, method=8) for n in range(3)]
    assert refusal_of_all(built(*parts)) is ImageFault.ARCHIVE_TOO_LARGE


def test_a_zip_of_too_many_files_is_refused() -> None:
    names = [f"{number}.png" for number in range(MAX_ENTRIES + 1)]
    assert refusal_of_all(packed(dict.fromkeys(names, b"x"))) is ImageFault.ARCHIVE_TOO_LARGE
    assert len(look(packed(dict.fromkeys(names[1:], b"x")))) == MAX_ENTRIES


def test_several_zips_of_one_request_share_what_they_may_hold() -> None:
    data = packed({f"{number}.png": b"x" for number in range(MAX_ENTRIES // 2 + 1)})
    budget = Budget()
    look(data, budget)
    with pytest.raises(ImageError):
        look(data, budget)


def test_a_zip_with_nothing_in_it_is_refused() -> None:
    assert refusal_of_all(packed({})) is ImageFault.ARCHIVE_NO_FILE
    assert refusal_of_all(packed({"only/a/folder/": b""})) is ImageFault.ARCHIVE_NO_FILE


def test_an_encrypted_entry_is_refused_and_the_others_are_taken() -> None:
    data = built(Part(b"1.png", PICTURE, flags=1), Part(b"2.png", PICTURE))
    assert refusal_of_one(data) is ImageFault.ARCHIVE_ENCRYPTED
    assert content(data, 1) == PICTURE


@pytest.mark.parametrize("mode", [0o120777, 0o060600, 0o020600, 0o010600, 0o140600])
def test_a_link_or_a_device_is_refused(mode: int) -> None:
    assert refusal_of_one(built(Part(b"1.png", b"/etc/passwd", mode=mode))) is ImageFault.ARCHIVE_UNSAFE_NAME


@pytest.mark.parametrize(
    "name", [b"/etc/passwd", b"../1.png", b"a/../../1.png", b"..\\1.png", b"C:\\1.png", b"a\0.png"]
)
def test_a_name_that_leads_out_of_the_zip_is_refused(name: bytes) -> None:
    assert refusal_of_one(built(Part(name, PICTURE))) is ImageFault.ARCHIVE_UNSAFE_NAME


def test_two_entries_of_one_name_are_two_files() -> None:
    data = built(Part(b"1.png", PICTURE), Part(b"1.png", b"other"))
    assert [content(data, number) for number in range(2)] == [PICTURE, b"other"]


@pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 99])
def test_an_unusual_packing_is_refused(method: int) -> None:
    assert refusal_of_one(built(Part(b"1.png", PICTURE, method=method))) is ImageFault.UNSUPPORTED_ENCODING


@pytest.mark.parametrize(
    "local",
    [{"name": b"2.png"}, {"method": 0}, {"crc": 1}, {"packed": 1}, {"unpacked": 1}, {"flags": 1}],
    ids=["name", "method", "checksum", "packed size", "size", "encryption"],
)
def test_a_zip_whose_directory_says_other_than_its_entry_is_refused(local: dict[str, object]) -> None:
    assert refusal_of_all(built(Part(b"1.png", PICTURE, local=local))) is ImageFault.ARCHIVE_DAMAGED


def test_an_entry_with_a_wrong_checksum_is_refused_and_the_others_are_taken() -> None:
    data = built(Part(b"1.png", PICTURE, content=deflated(PICTURE[:-1] + b"?")), Part(b"2.png", PICTURE))
    assert refusal_of_one(data) is ImageFault.DAMAGED
    assert content(data, 1) == PICTURE


@pytest.mark.parametrize(
    "part",
    [
        Part(b"1.png", PICTURE, content=deflated(PICTURE)[:-40]),
        Part(b"1.png", PICTURE, content=deflated(PICTURE) + b"and more"),
        Part(b"1.png", PICTURE, content=b"\xff" * 500),
        Part(b"1.png", PICTURE, method=0, content=PICTURE[:-1]),
        Part(b"1.png", PICTURE, content=deflated(PICTURE[:-1])),
    ],
    ids=["cut short", "with a tail", "garbage", "stored and cut short", "less than it says"],
)
def test_an_entry_whose_content_is_not_what_is_said_is_refused(part: Part) -> None:
    assert refusal_of_one(built(part)) is ImageFault.DAMAGED


@pytest.mark.parametrize(
    "data",
    [
        b"PK\3\4",
        packed({"1.png": PICTURE})[:-1],
        packed({"1.png": PICTURE}) + b"a tail",
        b"a head" + packed({"1.png": PICTURE}),
        built(Part(b"1.png", PICTURE), count=2),
        built(Part(b"1.png", PICTURE), Part(b"2.png", PICTURE), count=1),
        packed({"1.png": PICTURE}).replace(b"PK\1\2", b"PK\1\3"),
        built(Part(b"1.png", PICTURE, says_unpacked=0xFFFFFFFF)),
    ],
    ids=["a start", "cut short", "a tail", "a head", "too many said", "too few said", "no directory", "64 bits"],
)
def test_a_zip_that_no_program_builds_is_refused(data: bytes) -> None:
    assert refusal_of_all(data) is ImageFault.ARCHIVE_DAMAGED


def test_a_zip_holds_nothing_but_its_entries_from_its_first_byte_on() -> None:
    one, two = Part(b"1.png", PICTURE), Part(b"2.png", b"other")
    assert content(built(one, two)) == PICTURE
    hidden = built(Part(b"3.png", b"hidden"))
    between = Part(b"1.png", PICTURE, behind=hidden)
    for data in (
        built(one, two, head=b"PK\3\4" + b"a head"),
        built(one, two, head=hidden),
        built(between, two),
        built(two, between),
        built(one, before_end=bytes(25)),
        built(head=b"PK\3\4" + b"a head without an entry"),
    ):
        assert refusal_of_all(data) is ImageFault.ARCHIVE_DAMAGED


@pytest.mark.parametrize("numbers", ["<3I", "<4I", "<2I2Q"])
def test_what_says_an_entrys_sizes_may_follow_it(numbers: str) -> None:
    sizes: list[int] = [zlib.crc32(PICTURE), len(deflated(PICTURE)), len(PICTURE)]
    said = struct.pack(numbers, *([] if numbers == "<3I" else [0x08074B50]), *sizes)
    streamed = Part(b"1.png", PICTURE, flags=8, local={"crc": 0, "packed": 0, "unpacked": 0}, behind=said)
    data = built(streamed, Part(b"2.png", b"other"), streamed)
    assert [content(data, number) for number in range(3)] == [PICTURE, b"other", PICTURE]


def test_whatever_bytes_come_the_only_error_is_the_one_for_their_sender() -> None:
    good = packed({"1.png": PICTURE[:3000], "2.png": PICTURE[:500]})
    refused = 0
    for place in range(0, len(good), 7):
        mutant = good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :]
        try:
            for number in range(len(look(mutant))):
                content(mutant, number)
        except ImageError:
            refused += 1
    assert refused > 100
