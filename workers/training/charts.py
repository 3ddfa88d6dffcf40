"""The charts of a report, each drawn twice: for light and for dark pages. SVG, with its letters as outlines."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from workers.training.attention_checks import STEPS, OrderCurves, RandomisationCheck
from workers.training.metrics import Edges, Labels, Scores

Draw = Callable[[Axes], None]

# Told apart by people who see no red or no green, too (Okabe and Ito, 2008), and by light and dark alike.
_NORMAL, _PNEUMONIA, _AXIS = "#0096c8", "#e0700f", "#8a8f98"
_INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
_SIZE_INCHES = (4.8, 3.8)
_BINS = 15


@dataclass(frozen=True)
class Chart:
    """One chart as two data URIs."""

    light: str
    dark: str


def draw(paint: Draw) -> Chart:
    """Have a chart painted for both kinds of page."""
    return Chart(_uri(paint, "#1d2733"), _uri(paint, "#e6e9ee"))


def _uri(paint: Draw, ink: str) -> str:
    inked: dict[Any, Any] = dict.fromkeys(_INKED, ink)
    with rc_context(inked | {"svg.hashsalt": "report", "legend.frameon": False}):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        paint(axes)
        axes.spines[["top", "right"]].set_visible(False)
        file = BytesIO()
        # No date: the same findings give the same file.
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return svg_uri(file.getvalue())


def svg_uri(data: bytes) -> str:
    """An SVG file as an address that needs nothing else."""
    return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"


def roc(labels: Labels, probabilities: Scores, threshold: float) -> Draw:
    """The ROC curve, with the card's threshold on it."""

    def paint(axes: Axes) -> None:
        wrong, found, _ = roc_curve(labels, probabilities)
        axes.plot([0, 1], [0, 1], color=_AXIS, linestyle=":")
        axes.plot(wrong, found, color=_PNEUMONIA)
        called = probabilities >= threshold
        at = (float(called[~labels].mean()), float(called[labels].mean()))
        axes.plot(*at, "o", color=_NORMAL, label="at the card's threshold")
        axes.set(xlabel="Normals called pneumonia", ylabel="Pneumonias found")
        axes.legend(loc="lower right")

    return paint


def precision_recall(labels: Labels, probabilities: Scores) -> Draw:
    """How many of those called pneumonia are, against how many are found; at the share of pneumonias in these data."""

    def paint(axes: Axes) -> None:
        precision, recall, _ = precision_recall_curve(labels, probabilities)
        axes.plot(recall, precision, color=_PNEUMONIA)
        axes.axhline(float(labels.mean()), color=_AXIS, linestyle=":", label="all called pneumonia")
        axes.set(xlabel="Pneumonias found", ylabel="Right among those called pneumonia", ylim=(0, 1.03))
        axes.legend(loc="lower left")

    return paint


def reliability(labels: Labels, probabilities: Scores) -> Draw:
    """What was said against what was found, in 15 bins; a dot's area tells how many pictures."""

    def paint(axes: Axes) -> None:
        bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
        filled = np.unique(bins)
        said = [float(probabilities[bins == b].mean()) for b in filled]
        found = [float(labels[bins == b].mean()) for b in filled]
        counts = np.array([np.count_nonzero(bins == b) for b in filled])
        axes.plot([0, 1], [0, 1], color=_AXIS, linestyle=":")
        axes.scatter(said, found, s=20 + 380 * counts / counts.max(), color=_NORMAL, alpha=0.7)
        axes.set(
            xlabel="Probability that was said",
            ylabel="Share that are pneumonia",
            xlim=(-0.05, 1.05),
            ylim=(-0.05, 1.05),
        )

    return paint


def confusion(labels: Labels, probabilities: Scores, threshold: float) -> Draw:
    """Counts at the card's threshold."""

    def paint(axes: Axes) -> None:
        called = probabilities >= threshold
        counts = np.array([[np.count_nonzero((labels == t) & (called == c)) for c in (0, 1)] for t in (0, 1)])
        cells = np.full((2, 2, 4), to_rgba(_NORMAL))
        cells[..., 3] = 0.7 * counts / counts.sum(axis=1, keepdims=True)  # see-through where there is nothing
        axes.imshow(cells)
        for truth, call in np.ndindex(2, 2):
            axes.text(call, truth, str(counts[truth, call]), ha="center", va="center", fontsize=18)
        axes.set(xlabel="Called", ylabel="True")
        axes.set_xticks([0, 1], ["Normal", "Pneumonia"])
        axes.set_yticks([0, 1], ["Normal", "Pneumonia"], rotation=90, va="center")

    return paint


def histograms(labels: Labels, scores: Scores, edges: Sequence[tuple[str, float]]) -> Draw:
    """Raw scores of each class, with lines where something is decided (`edges`: words and score in log-odds)."""

    def paint(axes: Axes) -> None:
        bins = np.linspace(float(scores.min()) - 1e-6, float(scores.max()) + 1e-6, 41)
        axes.hist(scores[~labels], bins.tolist(), color=_NORMAL, alpha=0.6, label="Normal")
        axes.hist(scores[labels], bins.tolist(), color=_PNEUMONIA, alpha=0.6, label="Pneumonia")
        for (words, edge), style in zip(edges, ("-", ":", ":"), strict=False):
            axes.axvline(edge, color=_AXIS, linestyle=style, label=words)
        axes.set(xlabel="Score (log-odds of pneumonia)", ylabel="Pictures")
        axes.legend(fontsize="small")

    return paint


def edges_of(threshold: float, band: Edges, temperature: float) -> list[tuple[str, float]]:
    """Threshold and band as scores; an edge at 0 or 1 has none."""
    named = (("threshold", threshold), ("band", band[0]), ("", band[1]))
    return [(words, temperature * float(np.log(p / (1 - p)))) for words, p in named if 0 < p < 1]


def order(curves: OrderCurves, xlabel: str) -> Draw:
    """Deletion or insertion."""

    def paint(axes: Axes) -> None:
        axes.plot(STEPS, curves.by_attention, color=_PNEUMONIA, label="hottest cells first")
        axes.plot(STEPS, curves.by_chance, color=_AXIS, linestyle="--", label="in a random order")
        axes.set(xlabel=xlabel, ylabel="Mean probability of pneumonia", ylim=(-0.02, 1.02))
        axes.legend()

    return paint


def randomisation(check: RandomisationCheck) -> Draw:
    """How like the trained network's attention is that of ever more spoilt ones."""

    def paint(axes: Axes) -> None:
        spoilt = [step.spoilt for step in check.steps]
        for name, colour in (("spearman", _PNEUMONIA), ("ssim", _NORMAL)):
            figures = [getattr(step, name) for step in check.steps]
            axes.plot(spoilt, [f.value for f in figures], "o-", color=colour, label=_LIKENESS[name])
            axes.fill_between(spoilt, [f.low for f in figures], [f.high for f in figures], color=colour, alpha=0.2)
        axes.axhline(0, color=_AXIS, linewidth=0.8)
        axes.set(xlabel="Layers with shuffled weights, from the head down", ylabel="Likeness")
        axes.legend()

    return paint


_LIKENESS = {"spearman": "rank correlation", "ssim": "structural similarity"}
