"""Files to try the decoders with: other projects' test files, drawings in every encoding, and all of these damaged."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import gdcm
import numpy as np
from PIL import Image

from diagnoses.imaging.kinds import kind_of
from tests import pictures

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "var" / "fuzz"
_SYNTAXES = (
    "ImplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "JPEGBaselineProcess1",
    "JPEGLosslessProcess14",
    "JPEGLosslessProcess14_1",
    "JPEGLSLossless",
    "JPEGLSNearLossless",
    "JPEG2000Lossless",
    "JPEG2000",
    "RLELossless",
)
_CUTS = (0.4, 0.995, 0.03, 0.9)
_FLIPPED_COPIES = 6
_OF_EACH = 2
"""Cut and turned copies of other projects' files, which are many; of drawings there are all."""
_MOST_BYTES = 10_000_000


_START_BYTES = 1_000
"""Of a file that goes into an archive: ten of them stay small enough for a fuzzer."""


class Sample(NamedTuple):
    """A file, and where it comes from."""

    name: str
    data: bytes


def corpus(*, seed: int = 0) -> list[Sample]:
    """Everything there is. What was not to be had is said on standard output."""
    own, others = drawn(), [*_pydicoms(), *_pillows()]
    return [*own, *others, *damaged(own, seed=seed), *damaged(others, seed=seed, most=_OF_EACH)]


def drawn() -> list[Sample]:
    """The phantom in every encoding that is taken, and in some that are not."""
    chest = pictures.phantom(160, 130)
    deep = chest.astype(np.uint16) * 16
    colours = np.dstack([chest, 255 - chest, chest])
    files = {
        "png-8": pictures.png(chest),
        "png-16": pictures.png(deep),
        "png-colour": pictures.png(colours),
        "png-colour-16": pictures.png(colours.astype(np.uint16) * 256),
        "png-alpha": pictures.png(np.dstack([colours, chest])),
        "jpeg": pictures.jpeg(chest),
        "jpeg-colour": cv2.imencode(".jpg", colours)[1].tobytes(),
        "jpeg-progressive": cv2.imencode(".jpg", chest, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
        "dicom-8": pictures.dicom(chest, WindowCenter=128, WindowWidth=256),
        "dicom-12": pictures.dicom(deep, BitsStored=12, HighBit=11, RescaleSlope=2, RescaleIntercept=-5),
        "dicom-negative": pictures.dicom(deep, PhotometricInterpretation="MONOCHROME1", PatientAge="003Y"),
    }
    for form in ("PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000"):
        buffer = BytesIO()
        Image.fromarray(chest).convert("P" if form in {"PNG", "GIF"} else "L").save(buffer, form)
        files[form.lower()] = buffer.getvalue()
    for syntax in _SYNTAXES:
        for bits, pixels in ((8, chest), (12, deep)):
            if bits == 8 or syntax != "JPEGBaselineProcess1":
                plain = pictures.dicom(pixels, BitsStored=bits, HighBit=bits - 1)
                files[f"dicom-{syntax}-{bits}"] = transcoded(plain, syntax)
    return [Sample(f"drawn/{name}", data) for name, data in files.items()]


def transcoded(plain: bytes, syntax: str) -> bytes:
    """The same picture in another transfer syntax (gdcm's name for it)."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "plain.dcm"), Path(folder, "encoded.dcm")
        source.write_bytes(plain)
        reader: Any = gdcm.ImageReader()
        reader.SetFileName(str(source))
        assert reader.Read()
        change: Any = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer: Any = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


def damaged(samples: list[Sample], *, seed: int, most: int = 10) -> Iterator[Sample]:
    """Each file of a kind that is taken, cut short and with bits turned over, `most` copies of each at most.

    The same seed does the same damage.
    """
    for name, data in samples:
        if kind_of(data) is None:
            continue
        random = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:4]])
        for share in _CUTS[:most]:
            yield Sample(f"{name}, cut at {share:.1%}", data[: int(len(data) * share)])
        for copy in range(min(most, _FLIPPED_COPIES)):
            yield Sample(f"{name}, bits turned over, {copy + 1}", _turned_over(data, random, copy))


def _turned_over(data: bytes, random: np.random.Generator, copy: int) -> bytes:
    """More of them with each copy; half of the copies in the first kilobyte, where structure is."""
    mutant = bytearray(data)
    reach = min(len(data), 1024) if copy % 2 else len(data)
    for place in random.integers(0, max(1, reach), 1 + copy**2):
        mutant[place] ^= 1 << int(random.integers(8))
    return bytes(mutant)


def _pydicoms() -> Iterator[Sample]:
    """pydicom's own test files: those in its wheel, and those of pydicom-data."""
    for module, part in (("pydicom", "data"), ("data_store", "")):
        spec = find_spec(module)
        if not spec or not spec.origin:
            print(f"The test files of {module} are not installed: going on without them.")
            continue
        folder = Path(spec.origin).parent / part
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"} and path.stat().st_size <= _MOST_BYTES:
                yield Sample(f"{module}/{path.relative_to(folder)}", path.read_bytes())


def _pillows() -> Iterator[Sample]:
    """Pillow's own test pictures, out of its source distribution."""
    archive = _pillow_source()
    if archive is None:
        print("Pillow's source distribution could not be had: going on without its test pictures.")
        return
    with tarfile.open(archive) as source:
        for member in source:
            if "/Tests/images/" in member.name and member.isfile() and member.size <= _MOST_BYTES:
                content = source.extractfile(member)
                assert content
                yield Sample(f"pillow/{member.name.partition('/Tests/images/')[2]}", content.read())


def _pillow_source() -> Path | None:
    """Fetched once, by pip as it is configured here."""
    name = f"pillow-{version('pillow')}.tar.gz"
    if not (CACHE / name).exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print("Fetching Pillow's source distribution for its test pictures …", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", f"pillow=={version('pillow')}", "--dest", str(CACHE)]
        try:
            subprocess.run(command, timeout=600, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"pip: {error}")
    return CACHE / name if (CACHE / name).exists() else None


def as_they_are(samples: list[Sample]) -> list[Sample]:
    """The same."""
    return samples


def in_archives(samples: list[Sample]) -> list[Sample]:
    """ZIP archives of the starts of each ten, half of them packed; each whole, cut short and with bits turned over."""
    archives: list[Sample] = []
    for start in range(0, min(len(samples), 1000), 10):
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number, sample in enumerate(samples[start : start + 10]):
                method = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
                archive.writestr(f"{number}.png", sample.data[:_START_BYTES], method)
        data, random = packed.getvalue(), np.random.default_rng(start)
        archives.append(Sample(f"{start}.zip", data))
        archives += [Sample(f"{start}.zip, cut at {share:.1%}", data[: int(len(data) * share)]) for share in _CUTS]
        archives += [Sample(f"{start}.zip, bits turned over", _turned_over(data, random, copy)) for copy in range(3)]
    return archives
