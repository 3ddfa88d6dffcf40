"""Where a heatmap's heat lies."""

import numpy as np
from numpy.typing import NDArray


def border_share(attention: NDArray[np.float32]) -> float:
    """The share of the heat in the outermost ring of cells, corners among them: 0 to 1, and 0 for an empty map.

    Labels, side markers and collimators lie there, lungs do not. `attention` has shape (rows, columns), 0 or more.
    """
    total = float(attention.sum())
    if total <= 0:
        return 0.0
    return 1.0 - float(attention[1:-1, 1:-1].sum()) / total
