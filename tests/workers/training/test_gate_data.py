"""What the gate is shown: radiographs and phantoms to accept, the rest to refuse, and what is kept from it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests import pictures
from workers.inference.preprocess import preprocess
from workers.training.gate_data import (
    collected_examples,
    is_only_reported_on,
    made_examples,
    phantom_examples,
    radiograph_examples,
)
from workers.training.gate_fit import target_of
from workers.training.negatives import NEGATIVE_KINDS

_SIZE = 64
_CHESTS = np.stack([preprocess(pictures.phantom(seed=seed), _SIZE) for seed in range(3)])


def _features_of(shown: NDArray[np.uint8]) -> NDArray[np.float32]:
    """So that what was shown can be looked at: the pictures themselves."""
    assert shown.shape[1:] == (_SIZE, _SIZE)
    return shown.reshape(len(shown), -1).astype(np.float32)


def test_each_radiograph_is_shown_as_it_is_and_changed_all_of_them_to_be_accepted() -> None:
    examples = radiograph_examples(_CHESTS, np.array([False, True, True]), 2, _features_of, seed=1)
    assert examples.targets.tolist() == [0] * 9
    assert examples.kinds.tolist() == [0] * 3 + [1] * 6
    np.testing.assert_array_equal(examples.features[0], _CHESTS[0].ravel())
    assert (examples.features[1] != examples.features[0]).any()


def test_examples_are_the_same_for_the_same_seed() -> None:
    labels = np.array([False, True, True])
    first, again, other = (radiograph_examples(_CHESTS, labels, 1, _features_of, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    assert (first.features != other.features).any()


def test_phantoms_are_accepted_and_a_kind_of_their_own() -> None:
    examples = phantom_examples(_SIZE, _features_of, seed=1)
    assert set(examples.targets) == {0}
    assert set(examples.kinds) == {2}


def test_made_pictures_are_to_be_refused_for_their_reason_and_held_out_kinds_are_not_shown() -> None:
    fitted = [kind for kind in NEGATIVE_KINDS.values() if not kind.held_out]
    assert 0 < len(fitted) < len(NEGATIVE_KINDS)
    many = np.repeat(_CHESTS[:1], len(fitted), axis=0)
    examples = made_examples(many, _features_of, seed=1)
    assert examples.targets.tolist() == [target_of(kind.fault) for kind in fitted]
    assert set(examples.kinds) == {-1}


def test_whole_kinds_and_a_fifth_of_the_others_are_kept_from_fitting() -> None:
    assert all(is_only_reported_on("satellite", Path(f"{number}.jpg")) for number in range(50))
    kept = np.mean([is_only_reported_on("photo", Path(f"{number}.jpg")) for number in range(2000)])
    assert 0.17 < kept < 0.23


def test_collected_pictures_are_shown_but_for_those_that_are_kept_and_those_that_cannot_be_read(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(40)]
    for kind in ("photo", "satellite"):
        (tmp_path / kind).mkdir()
        for name in names:
            (tmp_path / kind / name).write_bytes(pictures.png(np.full((120, 120), 90, np.uint8)))
    shown = [name for name in names if not is_only_reported_on("photo", tmp_path / "photo" / name)]
    (tmp_path / "photo" / shown[0]).write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    examples = collected_examples(tmp_path, _SIZE, _features_of, seed=1)
    assert len(examples.targets) == 3 * (len(shown) - 1)
    assert set(examples.targets) == {1}
