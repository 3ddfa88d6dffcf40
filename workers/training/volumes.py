"""Computed and magnetic tomograms out of files, as pictures: cut into slices, or looked through like a radiograph."""

import gzip
import plistlib
import struct
import tarfile
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.inference.preprocess import GreyImage

Volume: TypeAlias = NDArray[np.float32]
"""Three axes, in any order."""

_NIFTI_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2"}
_AIR = -1000.0
"""Hounsfield units."""
_WINDOWS = ((40.0, 400.0), (400.0, 1800.0), (80.0, 160.0), (-300.0, 1400.0))
"""Centre and width in Hounsfield units: soft tissue, bone, brain, all."""


def read_nifti(path: Path) -> Volume:
    """The volume of a little-endian NIfTI-1 file, gzipped or not; of a series the first. Raises ValueError."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(data) < 352 or data[:4] != struct.pack("<i", 348):
        raise ValueError(f"{path} is no little-endian NIfTI-1 file")
    shape = struct.unpack("<3h", data[42:48])
    (code,) = struct.unpack("<h", data[70:72])
    (offset,) = struct.unpack("<f", data[108:112])
    if code not in _NIFTI_TYPES:
        raise ValueError(f"{path} holds values of the type {code}, which is not read here")
    stored = np.frombuffer(data, np.dtype(_NIFTI_TYPES[code]), count=int(np.prod(shape)), offset=int(offset))
    return stored.reshape(shape, order="F").astype(np.float32)


def read_invesalius(path: Path) -> Volume:
    """The tomogram of an InVesalius 3 project, in Hounsfield units; its first axis goes from the feet to the head."""
    with tarfile.open(path) as project:
        members = {Path(member.name).name: member for member in project}
        described = plistlib.loads(_bytes_of(project, members["main.plist"]))["matrix"]
        stored = np.frombuffer(_bytes_of(project, members[described["filename"]]), np.dtype(described["dtype"]))
    return stored.reshape(described["shape"]).astype(np.float32)


def _bytes_of(project: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = project.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file.read()


def magnetic_slices(volume: Volume, count: int) -> list[GreyImage]:
    """Slices across each axis, brightened over the volume's own range."""
    seen = volume[volume > 0]
    low, high = np.percentile(seen if seen.size else volume, (1, 99.5))
    return [_grey((cut - low) / (high - low + 1e-6)) for cut in _cuts(volume, count)]


def computed_slices(volume: Volume, count: int, rng: np.random.Generator) -> list[GreyImage]:
    """Slices across each axis of a volume in Hounsfield units, each in a window that is in use."""
    windows = rng.choice(_WINDOWS, 3 * count)
    return [
        _grey((cut - centre) / width + 0.5) for cut, (centre, width) in zip(_cuts(volume, count), windows, strict=True)
    ]


def projections(volume: Volume, count: int, rng: np.random.Generator) -> list[GreyImage]:
    """What a radiograph of a volume in Hounsfield units would show, from all sides and a little askew."""
    attenuation = np.clip((volume - _AIR) / -_AIR, 0, None)
    return [_projection(attenuation, rng) for _ in range(count)]


def _projection(attenuation: Volume, rng: np.random.Generator) -> GreyImage:
    turn = _rotation(attenuation.shape[2], rng.uniform(0, 360), 1.0)
    edges = attenuation.shape[:0:-1]
    sums = np.stack([cv2.warpAffine(layer, turn, edges).sum(axis=0) for layer in attenuation])[::-1]
    upright = cv2.resize(sums, (edges[0], edges[0]), interpolation=cv2.INTER_LINEAR)
    askew = cv2.warpAffine(upright, _rotation(edges[0], rng.uniform(-25, 25), rng.uniform(0.8, 1.25)), (edges[0],) * 2)
    levels = np.clip(askew / np.percentile(askew, 99.7), 0, 1)
    return _grey(levels ** rng.uniform(0.6, 1.4))


def _rotation(edge: int, degrees: float, scale: float) -> NDArray[np.float64]:
    return np.asarray(cv2.getRotationMatrix2D((edge / 2, edge / 2), degrees, scale), np.float64)


def _cuts(volume: Volume, count: int) -> list[NDArray[np.float32]]:
    """`count` planes across each axis, evenly spaced, the outermost tenth at each end left out."""
    return [
        np.rot90(np.take(volume, round(share * (volume.shape[axis] - 1)), axis=axis))
        for axis in range(3)
        for share in np.linspace(0.1, 0.9, count)
    ]


def _grey(levels: NDArray[np.floating]) -> GreyImage:
    """From 0 to 1 to grey levels."""
    return np.asarray(np.clip(levels, 0, 1) * 255 + 0.5, np.uint8)
