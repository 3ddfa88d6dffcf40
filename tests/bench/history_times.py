"""How the times of a page beside few results and beside many are compared."""

import statistics

Times = dict[str, list[float]]
"""Milliseconds, of the small and of the large database."""


def compared(times: Times) -> dict[str, float]:
    """Medians, 95th percentiles and the ratios of both."""
    small, large = times["small"], times["large"]
    medians = statistics.median(small), statistics.median(large)
    highs = _percentile_95(small), _percentile_95(large)
    return {
        "small_median": medians[0],
        "large_median": medians[1],
        "median_ratio": medians[1] / medians[0],
        "small_p95": highs[0],
        "large_p95": highs[1],
        "p95_ratio": highs[1] / highs[0],
    }


def _percentile_95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
