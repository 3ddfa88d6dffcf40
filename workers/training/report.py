"""An evaluation as one HTML page that needs nothing else: no script, no address outside, light and dark.

It holds pictures of patients (the worst errors): keep it where those may be kept.
"""

from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from workers.inference.reader import PNEUMONIA
from workers.training import charts
from workers.training.charts import Chart, draw
from workers.training.evaluation import Evaluation, ReadRow, as_arrays, band_of
from workers.training.findings import Findings
from workers.training.intervals import Figure
from workers.training.report_style import STYLE
from workers.training.thumbnails import picture_uri, with_heat_uri

_WORST = 12
_INTERVAL = "95 % interval"

FIGURE_WORDS = {
    "accuracy": "Accuracy at the card's threshold",
    "auc": "AUC",
    "average_precision": "Average precision (area under precision and recall)",
    "sensitivity": "Sensitivity: pneumonias that are called so",
    "specificity": "Specificity: normals that are called so",
    "specificity_at_98_sensitivity": "Best specificity where at least 98 % of the pneumonias are found",
    "ece": "Calibration error (ECE, 15 bins)",
    "brier": "Brier score",
    "band_coverage": "Share outside the band in which it cannot tell",
    "accuracy_outside_band": "Accuracy outside the band",
    "accuracy_inside_band": "Accuracy inside the band",
    "certain": "Share of answers without doubt (outside the band, and stable)",
    "accuracy_where_certain": "Accuracy of those",
}
"""What each figure is, for people."""

_NO_SHARES = {"auc", "average_precision", "ece", "brier"}


def report_html(findings: Findings) -> str:
    """The whole page."""
    evaluation = findings.evaluation
    title = f"{evaluation.card.name} {evaluation.card.version}"
    sections = "".join(f"<section>{section}</section>" for section in _sections(findings))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>Evaluation of {escape(title)}</h1>{sections}</main></body></html>\n"
    )


def _sections(findings: Findings) -> Iterator[str]:
    evaluation = findings.evaluation
    yield _about(evaluation)
    yield _figures(evaluation)
    yield _charts(evaluation)
    yield _refused(evaluation)
    if findings.negatives:
        yield _negatives(findings)
    if findings.stress:
        yield _stress(findings)
    if findings.attention:
        yield _attention(findings)
    if findings.randomisation:
        yield _randomisation(findings)
    if findings.served:
        yield _served(findings)
    yield _worst(evaluation)


def _about(evaluation: Evaluation) -> str:
    card, read = evaluation.card, evaluation.read
    low, high = band_of(card)
    patients = len({row.case.patient for row in read})
    pneumonias = sum(row.case.is_pneumonia for row in read)
    return (
        f"<p>{evaluation.count} of {len(evaluation.rows)} pictures were read, of {patients} patients; {pneumonias} are "
        f"pneumonia. Each went through the reader that serves, on {escape(evaluation.engine)}. Pneumonia is called "
        f"from a probability of {card.threshold:.4f}; from {low:.4f} to {high:.4f} it cannot tell. Both came with the "
        "model and were not chosen here.</p>"
        f"<p>{escape(card.intended_use)}</p>"
        f"<p class=note>Weights {escape(card.weights_sha256)}. Intervals are of 95 %, by bootstrap over patients, and "
        "for shares widened to the exact binomial ones. This page shows pictures of patients.</p>"
    )


def _figures(evaluation: Evaluation) -> str:
    rows = [
        (FIGURE_WORDS[name], *_cells(figure, as_share=name not in _NO_SHARES))
        for name, figure in evaluation.figures.items()
    ]
    if evaluation.auc_delong:
        rows.append(("AUC, interval after DeLong", *_cells(evaluation.auc_delong, as_share=False)))
    return "<h2>Figures</h2>" + _table(("Figure", "Value", _INTERVAL), rows)


def _charts(evaluation: Evaluation) -> str:
    labels, probabilities, _ = as_arrays(evaluation.read)
    scores = np.array([row.reading.score for row in evaluation.read])
    card = evaluation.card
    edges = charts.edges_of(card.threshold, band_of(card), card.temperature)
    painted = {
        "ROC curve": charts.roc(labels, probabilities, card.threshold),
        "Precision and recall": charts.precision_recall(labels, probabilities),
        "Reliability": charts.reliability(labels, probabilities),
        "Confusion at the card's threshold": charts.confusion(labels, probabilities, card.threshold),
        "Scores by class": charts.histograms(labels, scores, edges),
    }
    return "<h2>Charts</h2>" + _gallery((words, draw(paint)) for words, paint in painted.items())


def _refused(evaluation: Evaluation) -> str:
    rows = [
        ("Refused by the gate" if code == "all" else code, *_cells(figure))
        for code, figure in evaluation.refusals.items()
    ]
    named = _list(f"{path}: {words}" for path, words in evaluation.unreadable.items())
    return "<h2>Radiographs that were not read</h2>" + _table(("Reason", "Share", _INTERVAL), rows) + named


def _negatives(findings: Findings) -> str:
    negatives = findings.negatives
    if negatives is None:
        return ""
    named = {"All": negatives.pooled, "Kept from fitting the gate": negatives.kept_from_fitting, **negatives.kinds}
    rows = [(name, str(kind.count), *_cells(kind.share)) for name, kind in named.items() if kind]
    return (
        "<h2>Pictures that are no chest radiograph</h2>"
        + _table(("Kind", "Pictures", "Refused", _INTERVAL), rows)
        + _list(f"Got a diagnosis: {path}" for path in negatives.answered)
    )


def _stress(findings: Findings) -> str:
    stress = findings.stress
    if stress is None:
        return ""
    rows = [
        (name, str(flips.count), *_cells(flips.flipped), *_cells(flips.flipped_unsaid), *_cells(flips.refused))
        for name, flips in {"All": stress.pooled, **stress.variants}.items()
    ]
    titles = ("Variant", "Read both ways", "Flipped", _INTERVAL, "Flipped unsaid", _INTERVAL, "Refused", _INTERVAL)
    figures = [
        (FIGURE_WORDS[name], *_cells(figure, as_share=name not in _NO_SHARES))
        for name, figure in stress.figures.items()
    ]
    return (
        "<h2>The same files, saved again, resized or moved</h2><p>Unsaid: neither answer was marked as doubtful.</p>"
        + _table(titles, rows)
        + "<h3>Figures over all of them together</h3>"
        + _table(("Figure", "Value", _INTERVAL), figures)
    )


def _attention(findings: Findings) -> str:
    checks = findings.attention
    if checks is None:
        return ""
    named = {
        "Deletion: better than chance by": checks.deletion.gain,
        "Insertion: better than chance by": checks.insertion.gain,
        "Maps with most of their heat at the border": checks.mainly_at_border,
        "Readings that warn of it": checks.warned_of_border,
    }
    rows = [(words, *_cells(figure, as_share=place > 1)) for place, (words, figure) in enumerate(named.items())]
    painted = (
        ("Deletion", draw(charts.order(checks.deletion, "Share of the cells taken from a normal radiograph"))),
        ("Insertion", draw(charts.order(checks.insertion, "Share of the cells put into a normal radiograph"))),
    )
    return (
        f"<h2>Does the heat mean something?</h2><p>Of {checks.count} pictures that were called pneumonia. Spread "
        f"evenly, {checks.border_by_chance:.0%} of the heat would lie at the border.</p>"
        + _table(("Check", "Value", _INTERVAL), rows)
        + _gallery(painted)
    )


def _randomisation(findings: Findings) -> str:
    check = findings.randomisation
    if check is None:
        return ""
    verdict = (
        "The heatmap follows what was learned: with spoilt weights it is another one."
        if check.passed
        else "The heatmap stays much the same with spoilt weights: it does not show what was learned."
    )
    return (
        f"<h2>Does the heat come from what was learned?</h2><p>{verdict}</p>"
        + _table(("Check", "Value", _INTERVAL), [(_SPOILT, *_cells(check.steps[-1].spearman, as_share=False))])
        + _gallery([("Likeness to the trained network's attention", draw(charts.randomisation(check)))])
    )


def _served(findings: Findings) -> str:
    served = findings.served
    if served is None:
        return ""
    return (
        f"<h2>Through the running site</h2><p>{served.count} pictures were sent. Answered otherwise: "
        f"{len(served.differences)}. The largest difference of two probabilities is {served.largest_step:.2g}.</p>"
        + _list(f"{found.path}: {found.words}" for found in served.differences)
    )


def _worst(evaluation: Evaluation) -> str:
    wrong = [row for row in evaluation.read if not row.is_right]
    wrong.sort(key=lambda row: abs(row.case.is_pneumonia - row.reading.probability), reverse=True)
    shown = "".join(map(_wrong, wrong[:_WORST])) or "<p>There is none.</p>"
    return f"<h2>Worst errors</h2><p>Wrong answers: {len(wrong)}; the surest first.</p><div class=cards>{shown}</div>"


def _wrong(row: ReadRow) -> str:
    data = row.case.path.read_bytes()
    truth, called = ("Pneumonia", "normal") if row.case.is_pneumonia else ("Normal", "pneumonia")
    doubt = f", in doubt ({escape(row.reading.indeterminate_reason)})" if row.reading.indeterminate_reason else ""
    heat = with_heat_uri(data, row.reading.heatmap) if row.reading.label == PNEUMONIA else ""
    pictures = "".join(f'<img src="{uri}" alt="{words}">' for uri, words in _alternatives(picture_uri(data), heat))
    return (
        f"<figure>{pictures}<figcaption>{truth} called {called}, probability {row.reading.probability:.1%}{doubt}<br>"
        f"<span class=note>{escape(str(row.case.path))}</span></figcaption></figure>"
    )


def _alternatives(plain: str, heat: str) -> list[tuple[str, str]]:
    return [(plain, "the radiograph"), *([(heat, "the same with its heatmap")] if heat else [])]


_SPOILT = "Rank correlation with all layers spoilt"


def _cells(figure: Figure | None, *, as_share: bool = True) -> tuple[str, str]:
    """Value and interval in words."""
    if figure is None:
        return "none read", ""
    if as_share:
        return f"{figure.value:.2%}", f"{figure.low:.2%} to {figure.high:.2%}"
    return f"{figure.value:.4f}", f"{figure.low:.4f} to {figure.high:.4f}"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th scope=col>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _list(items: Iterable[str]) -> str:
    found = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{found}</ul>" if found else ""


def _gallery(painted: Iterable[tuple[str, Chart]]) -> str:
    figures = (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{chart.dark}">'
        f'<img src="{chart.light}" alt="{escape(words)}"></picture><figcaption>{escape(words)}</figcaption></figure>'
        for words, chart in painted
    )
    return f"<div class=cards>{''.join(figures)}</div>"
