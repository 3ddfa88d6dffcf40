"""How a model's answers are spread over the calibrated probability, for a site to hold its own answers against."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workers.training.evaluation import ReadRow

EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Between bins, finer at both ends, where most answers are. A probability on an edge counts above it."""


def distribution(rows: Sequence[ReadRow]) -> dict[str, Any]:
    """Counts by bin of the pictures that were read, by what they truly are: ten of each for nine edges."""
    return {
        "edges": list(EDGES),
        "normal": _counts([row for row in rows if not row.case.is_pneumonia]),
        "pneumonia": _counts([row for row in rows if row.case.is_pneumonia]),
    }


def _counts(rows: Sequence[ReadRow]) -> list[int]:
    bins = np.digitize([row.reading.probability for row in rows], EDGES)
    return [int(count) for count in np.bincount(bins, minlength=len(EDGES) + 1)]
