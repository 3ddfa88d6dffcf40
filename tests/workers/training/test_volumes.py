"""Tomograms: read from their files, cut into slices, looked through."""

import gzip
import io
import plistlib
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.training import volumes

_RNG = np.random.default_rng(0)
_VALUES = _RNG.integers(-900, 1500, (20, 24, 28)).astype(np.int16)


def _nifti(values: NDArray[Any], code: int) -> bytes:
    header = bytearray(352)
    header[:4] = struct.pack("<i", 348)
    header[40:56] = struct.pack("<8h", 3, *values.shape, 1, 1, 1, 1)
    header[70:72] = struct.pack("<h", code)
    header[108:112] = struct.pack("<f", 352)
    return bytes(header) + values.tobytes(order="F")


def invesalius(path: Path, values: NDArray[np.int16]) -> Path:
    described = {"matrix": {"filename": "matrix.dat", "dtype": "int16", "shape": list(values.shape)}}
    with tarfile.open(path, "w:gz") as project:
        for name, data in (("main.plist", plistlib.dumps(described)), ("matrix.dat", values.tobytes())):
            member = tarfile.TarInfo(f"project/{name}")
            member.size = len(data)
            project.addfile(member, io.BytesIO(data))
    return path


def _ball() -> NDArray[np.int16]:
    """A ball of bone in air, a little towards the head."""
    down, *across = np.meshgrid(*[np.linspace(-1, 1, 64)] * 3, indexing="ij")
    inside = (down - 0.3) ** 2 + across[0] ** 2 + across[1] ** 2 < 0.16
    return np.where(inside, 700, -1000).astype(np.int16)


@pytest.mark.parametrize(("code", "kind"), [(2, np.uint8), (4, np.int16), (16, np.float32)])
def test_a_nifti_file_is_read_as_it_was_written(tmp_path: Path, code: int, kind: type) -> None:
    values: NDArray[Any] = np.abs(_VALUES % 200).astype(kind)
    (tmp_path / "a.nii").write_bytes(_nifti(values, code))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(_nifti(values, code)))
    np.testing.assert_array_equal(volumes.read_nifti(tmp_path / "a.nii"), values)
    np.testing.assert_array_equal(volumes.read_nifti(tmp_path / "a.nii.gz"), values)


def test_another_file_is_no_nifti_file(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(b"no volume at all")
    with pytest.raises(ValueError, match="no little-endian NIfTI-1 file"):
        volumes.read_nifti(tmp_path / "a.nii")
    (tmp_path / "a.nii").write_bytes(_nifti(_VALUES, 128))
    with pytest.raises(ValueError, match="type 128"):
        volumes.read_nifti(tmp_path / "a.nii")


def test_an_invesalius_project_is_read_as_it_was_written(tmp_path: Path) -> None:
    np.testing.assert_array_equal(volumes.read_invesalius(invesalius(tmp_path / "a.inv3", _VALUES)), _VALUES)


def test_slices_go_across_each_axis() -> None:
    cuts = volumes.magnetic_slices(_VALUES.astype(np.float32), 5)
    assert [cut.shape for cut in cuts[::5]] == [(28, 24), (28, 20), (24, 20)]
    assert len(cuts) == 15


def test_magnetic_slices_use_all_grey_levels() -> None:
    cut = volumes.magnetic_slices(_VALUES.astype(np.float32), 3)[0]
    assert cut.min() == 0
    assert cut.max() == 255


def test_in_every_window_bone_is_brighter_than_air() -> None:
    for cut in volumes.computed_slices(_ball().astype(np.float32), 9, _RNG):
        assert cut[0, 0] == 0
        assert cut.max() == 0 or cut.max() > 160


def test_a_projection_is_brightest_where_the_rays_go_furthest_through() -> None:
    shadows = volumes.projections(_ball().astype(np.float32), 6, _RNG)
    for shadow in shadows:
        assert shadow[0, 0] < 10
        down, across = np.argwhere(shadow > 200).mean(axis=0)
        assert down < 32  # the head is above
        assert 20 < across < 44
    assert len({shadow.tobytes() for shadow in shadows}) == 6
