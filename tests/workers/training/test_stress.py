"""Files that were saved again, resized or moved; and who is moved by it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from tests import pictures
from tests.workers.training.fakes import REFUSAL, FakeReader, level_of, shape_of, write_cases
from workers.training.dataset import DatasetError
from workers.training.evaluation import evaluate
from workers.training.findings import Findings, card_figures
from workers.training.stress import FILE_VARIANTS, file_variants, flip_rates, stress_json

_CHEST = pictures.phantom(200, 150)
_JPEG = b"\xff\xd8"


def _is_jpeg_of(data: bytes, quality: int) -> bool:
    """By its size among the qualities that there are."""
    return data == cv2.imencode(".jpg", _CHEST, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def test_there_is_a_variant_of_each_kind_and_always_the_same() -> None:
    variants = file_variants(pictures.png(_CHEST))
    assert variants == file_variants(pictures.png(_CHEST))
    assert list(variants) == list(FILE_VARIANTS)
    for quality in (50, 75, 95):
        assert _is_jpeg_of(variants[f"jpeg_{quality}"], quality)
    assert shape_of(variants["smaller_by_20"]) == (120, 160)
    assert shape_of(variants["larger_by_20"]) == (180, 240)
    np.testing.assert_array_equal(decode(variants["png"]).pixels, _CHEST)


def test_a_shift_moves_by_a_fiftieth_and_repeats_the_edge() -> None:
    moved = decode(file_variants(pictures.png(_CHEST))["shifted"]).pixels
    np.testing.assert_array_equal(moved[3:, 4:], _CHEST[:-3, :-4])
    np.testing.assert_array_equal(moved[0, 4:], _CHEST[0, :-4])
    np.testing.assert_array_equal(moved[:3, :4], np.full((3, 4), _CHEST[0, 0]))


def test_a_reader_that_looks_at_the_lungs_alone_never_flips(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])
    stress = flip_rates(FakeReader(level_of), cases, resamples=20)
    assert set(stress.variants) == set(FILE_VARIANTS)
    assert stress.pooled.count == len(cases) * len(FILE_VARIANTS)
    assert stress.pooled.flipped is not None
    assert stress.pooled.flipped.value == stress.pooled.refused.value == 0
    assert stress.figures["accuracy"].value == 1


def _size_of_the_file(data: bytes) -> float:
    """Sure of pneumonia where the file is a JPEG; it looks at the file and not at the lungs."""
    return 0.9 if data.startswith(_JPEG) else level_of(data)


def test_a_reader_that_looks_at_the_compression_flips_just_where_that_changes(tmp_path: Path) -> None:
    """Both normals turn in the three JPEG variants, and no pneumonia does."""
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])
    stress = flip_rates(FakeReader(_size_of_the_file), cases, resamples=20)
    flipped = {name: flips.flipped and flips.flipped.value for name, flips in stress.variants.items()}
    assert flipped == {name: 0.5 if name.startswith("jpeg") else 0 for name in FILE_VARIANTS}
    assert stress.pooled.flipped is not None
    assert stress.pooled.flipped.value == pytest.approx(6 / 28)
    assert stress.pooled.flipped_unsaid == stress.pooled.flipped
    # Eight readings of each: 2 normals wrong in 3 of them.
    assert stress.figures["specificity"].value == pytest.approx(10 / 16)


def test_a_flip_that_the_band_speaks_of_is_not_an_unsaid_one(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.45], [0.8, 0.9])

    def answer(data: bytes) -> float:
        return level_of(data) + 0.2 if data.startswith(_JPEG) else level_of(data)

    flips = flip_rates(FakeReader(answer), cases, resamples=20).variants["jpeg_50"]
    assert flips.flipped is not None
    assert flips.flipped_unsaid is not None
    assert (flips.flipped.value, flips.flipped_unsaid.value) == (0.25, 0)


def test_a_variant_that_is_refused_is_counted_apart_and_is_no_flip(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])

    def answer(data: bytes) -> float | ImageError:
        return REFUSAL if data.startswith(_JPEG) else level_of(data)

    stress = flip_rates(FakeReader(answer), cases, resamples=20)
    refused = stress.variants["jpeg_75"]
    assert (refused.count, refused.flipped, refused.refused.value) == (0, None, 1)
    assert stress.pooled.refused.value == pytest.approx(3 / 7)
    assert stress.pooled.flipped is not None
    assert stress.pooled.count == 16


def test_a_picture_that_is_not_read_as_it_is_says_nothing(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])
    refused = level_of(cases[0].path.read_bytes())
    reader = FakeReader(lambda data: REFUSAL if level_of(data) == refused else level_of(data))
    assert flip_rates(reader, cases, resamples=20).pooled.count == 3 * len(FILE_VARIANTS)
    with pytest.raises(DatasetError, match="NORMAL"):
        flip_rates(FakeReader(lambda data: REFUSAL if level_of(data) < 0.5 else 0.9), cases)


def test_flips_are_written_by_variant_and_for_the_card(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])
    reader = FakeReader(_size_of_the_file)
    stress = flip_rates(reader, cases, resamples=20)
    assert stress_json(stress)["variants"]["jpeg_50"]["flipped"]["value"] == 0.5
    section = card_figures(Findings(evaluate(reader, cases, resamples=10), stress=stress))["stability"]
    assert section["flipped"] == stress.pooled.flipped
    assert section["flipped_jpeg_50"].value == 0.5
