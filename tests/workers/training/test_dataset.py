"""Radiographs in a folder: whose they are, which part they belong to, how they are loaded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests import pictures
from workers.training.dataset import Case, DatasetError, Part, Target, find_cases, load, split


def _fill(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def _cases(patients: int, images_each: int = 3) -> list[Case]:
    return [
        Case(Path(f"{patient}-{image}.png"), patient % 3 > 0, f"person{patient}", Target(patient % 3))
        for patient in range(patients)
        for image in range(images_each)
    ]


# Names


@pytest.mark.parametrize(
    ("name", "patient", "subtype"),
    [
        ("PNEUMONIA/person3_bacteria_12.jpeg", "person3_bacteria", Target.BACTERIAL),
        ("PNEUMONIA/person3_virus_17.jpeg", "person3_virus", Target.VIRAL),
        ("PNEUMONIA/person1937_bacteria_4852.jpeg", "person1937_bacteria", Target.BACTERIAL),
        ("PNEUMONIA/ward7.png", "pneumonia/ward7", None),
        ("NORMAL/IM-0115-0001.jpeg", "IM-0115", Target.NORMAL),
        ("NORMAL/IM-0115-0001-0002.jpeg", "IM-0115", Target.NORMAL),
        ("NORMAL/NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115", Target.NORMAL),
        ("NORMAL/volunteer.dcm", "normal/volunteer", Target.NORMAL),
    ],
)
def test_the_patient_and_the_kind_of_pneumonia_are_told_by_the_name(
    tmp_path: Path, name: str, patient: str, subtype: Target | None
) -> None:
    _fill(tmp_path, ["NORMAL/IM-9999-0001.jpeg", "PNEUMONIA/person9999_virus_1.jpeg", name])
    (case,) = [case for case in find_cases(tmp_path) if case.path == tmp_path / name]
    assert (case.patient, case.subtype, case.is_pneumonia) == (patient, subtype, name.startswith("PNEUMONIA"))


def test_the_same_number_is_one_patient_within_a_kind_and_another_one_in_the_other(tmp_path: Path) -> None:
    names = ["person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg", "person1_virus_6.jpeg"]
    _fill(tmp_path, ["NORMAL/IM-0001-0001.jpeg", *(f"PNEUMONIA/{name}" for name in names)])
    patients = [case.patient for case in find_cases(tmp_path) if case.is_pneumonia]
    assert patients == ["person1_bacteria", "person1_bacteria", "person1_virus"]


def test_normal_and_pneumonia_of_no_known_name_are_never_one_patient(tmp_path: Path) -> None:
    _fill(tmp_path, ["NORMAL/0001.png", "PNEUMONIA/0001.png"])
    assert len({case.patient for case in find_cases(tmp_path)}) == 2


def test_pictures_are_found_in_a_stable_order_and_other_files_are_not(tmp_path: Path) -> None:
    wanted = ["NORMAL/IM-1-1.jpeg", "NORMAL/deep/IM-2-1.DCM", "PNEUMONIA/person1_virus_1.jpg", "PNEUMONIA/x.png"]
    _fill(tmp_path, [*reversed(wanted), "NORMAL/.DS_Store", "NORMAL/Thumbs.db", "PNEUMONIA/notes.txt", "TEST/y.png"])
    assert [case.path.relative_to(tmp_path).as_posix() for case in find_cases(tmp_path)] == wanted


# Folders


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        pytest.param([], "NORMAL/ has none", id="an empty folder"),
        pytest.param(["PNEUMONIA/x.png"], "NORMAL/ has none", id="no normals"),
        pytest.param(["NORMAL/x.png"], "PNEUMONIA/ has none", id="no pneumonias"),
        pytest.param(["NORMAL/x.png", "PNEUMONIA/notes.txt"], "PNEUMONIA/ has none", id="no pictures of one class"),
        pytest.param(["train/NORMAL/x.png", "train/PNEUMONIA/x.png"], "NORMAL/ has none", id="one folder too high"),
    ],
)
def test_a_folder_of_another_layout_is_refused_with_what_is_missing(
    tmp_path: Path, names: list[str], missing: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        find_cases(_fill(tmp_path, names))
    assert str(tmp_path) in str(caught.value)
    assert missing in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        find_cases(tmp_path / "nowhere")


# Split


def test_every_picture_is_in_exactly_one_part() -> None:
    cases = _cases(500)
    parts = split(cases, seed=1)
    assert set(parts) == set(Part)
    paths = [case.path for part in parts.values() for case in part]
    assert len(paths) == len(cases)
    assert set(paths) == {case.path for case in cases}


def test_no_patient_is_in_two_parts() -> None:
    parts = split(_cases(500), seed=1)
    patients = [{case.patient for case in part} for part in parts.values()]
    assert sum(len(some) for some in patients) == 500


def test_the_parts_hold_about_eight_one_and_one_tenths_of_the_patients() -> None:
    parts = split(_cases(3000, images_each=1), seed=1)
    shares = {part: len(cases) / 3000 for part, cases in parts.items()}
    assert shares[Part.TRAIN] == pytest.approx(0.8, abs=0.03)
    assert shares[Part.VALIDATION] == pytest.approx(0.1, abs=0.02)
    assert shares[Part.HOLDOUT] == pytest.approx(0.1, abs=0.02)


def test_the_split_hangs_on_patient_and_seed_alone() -> None:
    cases = _cases(200)
    once, again = split(cases, seed=1), split(list(reversed(cases))[::2], seed=1)
    for part in Part:
        assert {case.patient for case in again[part]} <= {case.patient for case in once[part]}
    assert split(cases, seed=2) != once


def test_the_split_is_that_of_the_shipped_model_for_ever() -> None:
    """Written down, since a patient who moved into another part would make every figure on the card a lie."""
    parts = split(_cases(30, images_each=1), seed=1)
    assert [case.patient for case in parts[Part.VALIDATION]] == [
        "person9",
        "person21",
        "person24",
        "person27",
        "person28",
    ]
    assert [case.patient for case in parts[Part.HOLDOUT]] == ["person2", "person20"]


# Loading


def test_pictures_are_loaded_in_order_at_the_size_that_the_network_takes(tmp_path: Path) -> None:
    cases = []
    for level in (10, 90, 250):
        path = tmp_path / f"{level}.png"
        path.write_bytes(pictures.png(np.full((150, 120 + level), level, np.uint8)))
        cases.append(Case(path, False, path.stem, Target.NORMAL))
    loaded = load(cases, 32)
    assert loaded.shape == (3, 32, 32)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded[:, 0, 0], [10, 90, 250])


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    """Among thousands of files, "this picture is damaged" alone helps nobody."""
    path = tmp_path / "person7_virus_1.png"
    path.write_bytes(pictures.png(pictures.phantom())[:-5000])
    with pytest.raises(DatasetError, match=r"person7_virus_1\.png.*damaged"):
        load([Case(path, True, "person7_virus", Target.VIRAL)], 32)


# The public data set as downloaded


@pytest.mark.parametrize("deep", ["", "chest_xray"])
def test_a_folder_of_folders_with_both_classes_names_those_to_choose_from(tmp_path: Path, deep: str) -> None:
    for part in ("train", "val", "__MACOSX"):
        for name in ("NORMAL", "PNEUMONIA"):
            (tmp_path / deep / part / name).mkdir(parents=True)
    (tmp_path / deep / "notes" / "NORMAL").mkdir(parents=True)
    with pytest.raises(DatasetError) as caught:
        find_cases(tmp_path)
    below = tmp_path / deep
    assert str(caught.value).endswith(f"Give one of these instead: {below / 'train'}, {below / 'val'}.")


def test_a_folder_without_any_such_folder_names_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        find_cases(tmp_path)
    assert "instead" not in str(caught.value)
