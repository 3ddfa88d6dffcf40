"""Pictures that are no chest radiographs, out of packages that anybody can download.

A gate learns from them what else there is in the world. They stay out of this repository; `docs/negatives.md` says from
which packages they come, and `manage.py collect_negatives` takes them out of there in the same way each time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from workers.training import volumes

Picture = NDArray[np.uint8]
"""Grey (height, width) or BGR (height, width, 3)."""
Views = Callable[[Path, np.random.Generator], Iterator[Picture]]
"""The pictures that are in a file."""

_LONGEST_EDGE = 512
_SHORTEST_EDGE = 100
_MAX_ELONGATION = 3.0
_MIN_SPREAD = 3.0
"""Grey levels (standard deviation). A picture that is flatter shows nothing."""
_QUALITY = 92
_MIN_BYTES = 4000
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SHARE = "usr/share/"


def collect(packages: Path, out: Path, seed: int = 0) -> dict[str, int]:
    """Write a folder per kind below `out`; the answer is how many pictures each got.

    `packages` holds the packages' files, unpacked. A kind whose packages are not there gets none.
    """
    counts: dict[str, int] = {}
    seen: set[bytes] = set()
    for number, source in enumerate(SOURCES):
        rng = np.random.default_rng((seed, number))
        kept = _keep(source.pictures(packages, rng), source.at_most, seen)
        folder = out / source.kind
        folder.mkdir(parents=True, exist_ok=True)
        counts[source.kind] = counts.get(source.kind, 0)
        for picture in kept:
            name = folder / f"{source.kind}_{counts[source.kind]:04}.jpg"
            cv2.imwrite(str(name), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            counts[source.kind] += 1
    return counts


def _keep(pictures: Iterator[Picture], at_most: int, seen: set[bytes]) -> Iterator[Picture]:
    """Of these pictures those that show something, and something new."""
    count = 0
    for picture in pictures:
        sized = _sized(picture)
        looks = _fingerprint(sized) if sized is not None else b""
        if sized is None or not looks or looks in seen:
            continue
        seen.add(looks)
        yield sized
        count += 1
        if count == at_most:
            return


def _sized(picture: Picture) -> Picture | None:
    """Brought to edges between `_SHORTEST_EDGE` and `_LONGEST_EDGE` pixels; None for a strip."""
    long, short = max(picture.shape[:2]), min(picture.shape[:2])
    if long > _MAX_ELONGATION * short:
        return None
    scale = min(_LONGEST_EDGE / long, max(1.0, _SHORTEST_EDGE / short))
    if scale == 1:
        return picture
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def _fingerprint(picture: Picture) -> bytes:
    """The same for pictures that look the same from afar; empty for one that shows nothing."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = np.asarray(cv2.resize(grey, (24, 24), interpolation=cv2.INTER_AREA), np.uint8)
    return (small // 8).tobytes() if small.std() >= _MIN_SPREAD else b""


# What is in a file


def _whole(path: Path, rng: np.random.Generator) -> Iterator[Picture]:
    """The picture, what is see-through in it laid on black, grey or white."""
    try:
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    if picture is None or picture.dtype != np.uint8:
        return
    if picture.ndim == 3 and picture.shape[2] == 4:
        opacity = picture[:, :, 3:] / np.float32(255)
        picture = (picture[:, :, :3] * opacity + rng.choice([0, 128, 255]) * (1 - opacity)).astype(np.uint8)
    yield picture


def _whole_and_parts(path: Path, rng: np.random.Generator) -> Iterator[Picture]:
    """The picture and three parts of it: a wall paper shows many things."""
    for picture in _whole(path, rng):
        yield picture
        for _ in range(3):
            height, width = (round(edge * rng.uniform(0.2, 0.6)) for edge in picture.shape[:2])
            top, left = (int(rng.integers(0, edge)) for edge in np.subtract(picture.shape[:2], (height, width)) + 1)
            yield picture[top : top + height, left : left + width]


def _magnetic(path: Path, _: np.random.Generator) -> Iterator[Picture]:
    yield from volumes.magnetic_slices(volumes.read_nifti(path), 24)


def _computed(path: Path, rng: np.random.Generator) -> Iterator[Picture]:
    yield from volumes.computed_slices(volumes.read_invesalius(path), 30, rng)


def _looked_through(path: Path, rng: np.random.Generator) -> Iterator[Picture]:
    yield from volumes.projections(volumes.read_invesalius(path), 90, rng)


def _frames(path: Path, _: np.random.Generator) -> Iterator[Picture]:
    """Each frame of a DICOM file, brightened over its own range."""
    dataset = dcmread(path)
    values: NDArray[Any] = dataset.pixel_array
    frames = values if int(dataset.get("NumberOfFrames", None) or 1) > 1 else values[None]
    for frame in frames:
        low, high = np.percentile(frame, (0.5, 99.5))
        grey = np.clip((frame.astype(np.float32) - low) / (high - low + 1e-6) * 255, 0, 255).astype(np.uint8)
        yield grey[:, :, ::-1] if grey.ndim == 3 else grey


def _turned_parts(path: Path, rng: np.random.Generator) -> Iterator[Picture]:
    """Of a radiograph and of its negative thirty turned parts each."""
    for film in _frames(path, rng):
        for picture in [film] * 30 + [255 - film] * 30:
            height, width = picture.shape
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), rng.uniform(1.0, 2.0))
            turn[:, 2] += rng.uniform(-0.2, 0.2, 2) * (width, height)
            yield np.asarray(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


# Where the files are


@dataclass(frozen=True)
class Source:
    """Files of one kind, below the folder of the unpacked packages."""

    kind: str
    patterns: tuple[str, ...]
    at_most: int
    views: Views = _whole

    def pictures(self, packages: Path, rng: np.random.Generator) -> Iterator[Picture]:
        """All pictures in the files, whose order is shuffled."""
        found = sorted({path for pattern in self.patterns for path in packages.glob(pattern) if self._is_wanted(path)})
        for place in rng.permutation(len(found)):
            yield from self.views(found[place], rng)

    def _is_wanted(self, path: Path) -> bool:
        if not path.is_file() or path.is_symlink() or path.stat().st_size < _MIN_BYTES:
            return False
        return path.suffix.lower() in _SUFFIXES or self.views not in {_whole, _whole_and_parts}


_ITK = _SHARE + "doc/insighttoolkit5-examples/examples/Data/"
_INVESALIUS = _SHARE + "doc/invesalius-examples/examples/Cranium.inv3"
_DICOM = "**/data_store/data/"

SOURCES = (
    Source("photo", (_SHARE + "backgrounds/**/*", _SHARE + "wallpapers/**/*"), 700, _whole_and_parts),
    Source("photo", (_SHARE + "stellarium/landscapes/**/*",), 150, _whole_and_parts),
    Source("photo", ("usr/lib/python3/dist-packages/skimage/data/*",), 50),
    Source("object", (_SHARE + "tuxpaint/stamps/**/*",), 500),
    Source("clipart", (_SHARE + "openclipart/png/**/*",), 600),
    Source("astronomy", (_SHARE + "stellarium/nebulae/**/*", _SHARE + "stellarium/textures/*"), 220),
    Source("astronomy", (_SHARE + "kstars/textures/*", _SHARE + "xplanet/images/*"), 80),
    Source("texture", (_SHARE + "gimp/2.0/patterns/*", _SHARE + "games/supertux2/images/**/*"), 200),
    Source("satellite", (_SHARE + "doc/grass-doc/**/*",), 250),
    Source("screenshot", (_SHARE + "doc/HTML/**/*",), 120),
    Source("chart", (_SHARE + "doc/python-skimage-doc/**/*", _SHARE + "doc/python-sklearn-doc/**/*"), 350),
    Source("chart", (_SHARE + "doc/opencv-doc/opencv4/html/*",), 250),
    Source("mr", (_SHARE + "mricron/templates/ch2*.nii.gz",), 220, _magnetic),
    Source("mr", (_SHARE + "mricron/templates/inia19-t1-brain.nii.gz",), 60, _magnetic),
    Source("mr", (_ITK + "KmeansTest_T1*Raw*.nii.gz",), 60, _magnetic),
    Source("mr", (_ITK + "Brain*.png",), 40),
    Source("mr", (_DICOM + "MR2_UNCR.dcm",), 1, _frames),
    Source("ct", (_INVESALIUS,), 90, _computed),
    Source("ct", (_DICOM + "693_UNCR.dcm",), 1, _frames),
    Source("radiograph_skull", (_INVESALIUS,), 90, _looked_through),
    Source("radiograph_limb", (_DICOM + "RG3_UNCR.dcm",), 60, _turned_parts),
    Source("ultrasound", (_DICOM + "US1_UNCR.dcm", _DICOM + "gdcm-US-ALOKA-16.dcm"), 10, _frames),
    Source(
        "ultrasound", (_DICOM + "JPGLosslessP14SV1_1s_1f_8b.dcm", _DICOM + "color3d_jpeg_baseline.dcm"), 30, _frames
    ),
)
"""No file among these is a chest radiograph; all of them were looked at."""
