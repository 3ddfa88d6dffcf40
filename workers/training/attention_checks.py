"""Whether the heat means something: what happens to the answer when the hot cells are taken away, or shown alone.

Deletion and insertion (Petsiuk, Das and Saenko, 2018, arXiv:1806.07421), in the order of the attention's cells
against a random order, through the reader that serves. Cells are exchanged with those of a radiograph that is normal:
one with blurred or blank cells is nothing that the network knows, and a wholly blank one is called pneumonia, so that
nothing could be seen to fall.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from diagnoses.imaging.decode import decode
from workers.inference.attention import border_share
from workers.inference.preprocess import GreyImage, preprocess
from workers.inference.reader import HEAT_AT_BORDER, PNEUMONIA, Reading, ReadRequest
from workers.training.evaluation import ReadRow, ServingReader
from workers.training.intervals import Figure, mean, share

Heat = NDArray[np.float32]
Curve = NDArray[np.float64]
"""Probability of pneumonia at each of `STEPS` shares of changed cells."""

STEPS = np.linspace(0.0, 1.0, 11)
"""Shares of the cells."""

_MAINLY = 0.5
_STILL_ALIKE = 0.5
"""A rank correlation; the randomisation check fails where the interval of the spoilt network's reaches it."""
_SUREST = 20


@dataclass(frozen=True)
class OrderCurves:
    """Mean curves of one operation over the pictures, and what the areas under them say."""

    by_attention: list[float]
    by_chance: list[float]
    area_by_attention: Figure
    area_by_chance: Figure
    gain: Figure
    """How much better than chance the attention's order is: above 0 where it means something. For deletion the area by
    chance less that by attention, for insertion the other way round."""


@dataclass(frozen=True)
class AttentionChecks:
    """Over `count` pictures that were called pneumonia and have heat."""

    count: int
    deletion: OrderCurves
    insertion: OrderCurves
    mainly_at_border: Figure
    """Share of the maps with more than half of their heat in the outermost cells."""
    border_by_chance: float
    """The share of the heat that would lie there if it were spread evenly."""
    warned_of_border: Figure
    """Share of the readings that warn of it."""


@dataclass(frozen=True)
class Step:
    """How like the trained network's attention is that of a network with `spoilt` of its layers shuffled."""

    spoilt: int
    spearman: Figure
    ssim: Figure


@dataclass(frozen=True)
class RandomisationCheck:
    """The cascade from the trained network (nothing spoilt) to one that knows nothing."""

    layers: int
    steps: list[Step]

    @property
    def passed(self) -> bool:
        """Whether the attention of the wholly spoilt network is another one."""
        return self.steps[-1].spearman.high < _STILL_ALIKE


@dataclass(frozen=True)
class _Curves:
    deletion: Curve
    deletion_by_chance: Curve
    insertion: Curve
    insertion_by_chance: Curve


def heated(rows: Sequence[ReadRow], at_most: int) -> list[ReadRow]:
    """Pictures that were called pneumonia and have heat, evenly over the rows, at most so many."""
    found = [row for row in rows if row.reading.heatmap_peak > 0 and row.reading.label == PNEUMONIA]
    if len(found) <= at_most:
        return found
    return [found[index] for index in np.linspace(0, len(found) - 1, at_most).astype(int)]


def sure_normals(rows: Sequence[ReadRow]) -> list[ReadRow]:
    """Normals that were called so without doubt: the twenty surest, to exchange cells with."""
    found = [row for row in rows if not row.case.is_pneumonia and row.is_right and not row.reading.indeterminate_reason]
    return sorted(found, key=lambda row: row.reading.probability)[:_SUREST]


def check_attention(reader: ServingReader, rows: Sequence[ReadRow], normals: Sequence[ReadRow]) -> AttentionChecks:
    """Delete and insert, for each of `rows` as `heated` gives them, against `sure_normals`. Needs one of each."""
    patients = [row.case.patient for row in rows]
    curves = [
        _curves(reader, row, normals[place % len(normals)], place)
        for place, row in enumerate(track(rows, description="Deleting and inserting"))
    ]
    heats = [_heat(row.reading) for row in rows]
    return AttentionChecks(
        count=len(rows),
        deletion=_order_curves([c.deletion for c in curves], [c.deletion_by_chance for c in curves], patients, -1),
        insertion=_order_curves([c.insertion for c in curves], [c.insertion_by_chance for c in curves], patients, 1),
        mainly_at_border=share([border_share(heat) > _MAINLY for heat in heats], patients),
        border_by_chance=border_share(np.ones_like(heats[0])),
        warned_of_border=share([HEAT_AT_BORDER in row.reading.warnings for row in rows], patients),
    )


def attention_json(checks: AttentionChecks) -> dict[str, Any]:
    """As plain values."""
    return asdict(checks) | {"steps": STEPS.tolist()}


def randomisation_json(check: RandomisationCheck) -> dict[str, Any]:
    """As plain values."""
    return asdict(check) | {"passed": check.passed}


def _curves(reader: ServingReader, row: ReadRow, normal: ReadRow, seed: int) -> _Curves:
    """One picture's four curves, its variants read as one batch."""
    picture = _picture(row, reader.card.input_size)
    healthy = _toned_like(_picture(normal, reader.card.input_size), picture)
    heat = _heat(row.reading)
    rng = np.random.default_rng(seed)
    chance = rng.permutation(heat.size)
    # Among equally warm cells (many are quite cold) chance decides, not the place.
    by_heat = chance[np.argsort(-heat.ravel()[chance], kind="stable")]
    changed = [
        _with_cells(start, other, order[: round(part * heat.size)], heat.shape)
        for start, other in ((picture, healthy), (healthy, picture))
        for order in (by_heat, chance)
        for part in STEPS
    ]
    curves = _probabilities(reader, changed).reshape(4, len(STEPS))
    return _Curves(*curves)


def _picture(row: ReadRow, size: int) -> GreyImage:
    return preprocess(decode(row.case.path.read_bytes()).pixels, size)


def _toned_like(picture: GreyImage, other: GreyImage) -> GreyImage:
    """With the other one's mean and spread, so that an exchanged cell does not stand out by its brightness."""
    spread = max(float(picture.std()), 1.0)
    toned = (picture.astype(np.float32) - picture.mean()) / spread * other.std() + other.mean()
    return np.asarray(np.clip(toned, 0, 255), np.uint8)


def _with_cells(picture: GreyImage, other: GreyImage, cells: NDArray[np.intp], grid: tuple[int, ...]) -> GreyImage:
    """The picture, with some cells of the grid as they are in the other one."""
    mask = np.zeros(grid, np.uint8)
    mask.ravel()[cells] = 1
    full = cv2.resize(mask, picture.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.where(full > 0, other, picture), np.uint8)


def _probabilities(reader: ServingReader, pictures: Sequence[GreyImage]) -> Curve:
    """Of pictures which the gate rightly would not take."""
    files = [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]
    answers = reader.read([ReadRequest(data, gate_overridden=True) for data in files])
    return np.array([answer.probability for answer in answers if isinstance(answer, Reading)], np.float64)


def _heat(reading: Reading) -> Heat:
    """The stored map, 0 to 1."""
    grey = cv2.imdecode(np.frombuffer(reading.heatmap, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(grey, np.float32) / np.float32(255)


def _order_curves(
    by_heat: Sequence[Curve], by_chance: Sequence[Curve], patients: Sequence[str], sign: int
) -> OrderCurves:
    areas = [np.array([np.trapezoid(curve, STEPS) for curve in curves]) for curves in (by_heat, by_chance)]
    return OrderCurves(
        by_attention=np.mean(by_heat, axis=0).tolist(),
        by_chance=np.mean(by_chance, axis=0).tolist(),
        area_by_attention=mean(areas[0].tolist(), patients),
        area_by_chance=mean(areas[1].tolist(), patients),
        gain=mean((sign * (areas[0] - areas[1])).tolist(), patients),
    )
