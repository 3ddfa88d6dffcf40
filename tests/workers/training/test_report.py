"""The report: all of it, of itself alone, and fit to be read anywhere."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from diagnoses.imaging.errors import ImageError
from tests import pictures
from tests.workers.training.fakes import REFUSAL, FakeReader, level_of, make_card, make_reading, write_case, write_cases
from workers.inference.reader import Reading
from workers.training.attention_checks import RandomisationCheck, Step, check_attention, heated, sure_normals
from workers.training.evaluation import evaluate
from workers.training.findings import Findings
from workers.training.intervals import Figure
from workers.training.negatives_check import Negatives, Refused
from workers.training.report import FIGURE_WORDS, report_html
from workers.training.served import Difference, Served
from workers.training.stress import FILE_VARIANTS, flip_rates
from workers.training.thumbnails import picture_uri, with_heat_uri

_SVG = "data:image/svg+xml;base64,"


class _Page(HTMLParser):
    """What a browser would fetch, run and show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "srcset", "data", "action", "poster"}]
        self.handlers += [k for k, _ in attrs if k.startswith("on") or k == "style"]
        if tag not in {"meta", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    """Every check; one normal is wrong, one refused, and one pneumonia wrong and in doubt."""
    cases = write_cases(tmp_path, [0.1, 0.2, 0.9, 0.0], [0.9, 0.8, 0.45, 0.7])
    refused = cases[3].path.read_bytes()

    def answer(data: bytes) -> float | ImageError:
        return REFUSAL if data == refused else level_of(data)

    reader = FakeReader(answer)
    figure = Figure(0.25, 0.125, 0.375)
    evaluation = evaluate(reader, cases, resamples=20)
    return Findings(
        evaluation,
        Negatives(Refused(8, figure), Refused(3, figure), {"knees": Refused(8, figure)}, [Path("knee-3.png")]),
        flip_rates(reader, cases, resamples=20),
        check_attention(reader, heated(evaluation.read, 3), sure_normals(evaluation.read)),
        RandomisationCheck(2, [Step(0, figure, figure), Step(2, figure, figure)]),
        Served(8, [Difference(cases[0].path, "label: NORMAL here, PNEUMONIA there")], 0.0125),
    )


def test_nothing_is_fetched_and_nothing_is_run(findings: Findings) -> None:
    html = report_html(findings)
    page = _Page(html)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert page.handlers == []
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)
    outside = re.sub(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?:|//|@import|url\(", outside.replace(str(findings.evaluation.rows[0].case.path), ""))


def test_every_figure_is_there_with_its_interval(findings: Findings) -> None:
    text = "|".join(_Page(report_html(findings)).text)
    for name, figure in findings.evaluation.figures.items():
        shown = f"{figure.value:.4f}" if name in {"auc", "average_precision", "ece", "brier"} else f"{figure.value:.2%}"
        low = f"{figure.low:.4f} to" if name in {"auc", "average_precision", "ece", "brier"} else f"{figure.low:.2%} to"
        assert f"{FIGURE_WORDS[name]}|{shown}|{low}" in text
    for words in (
        "AUC, interval after DeLong",
        "Refused by the gate|12.50%",
        "inverted|12.50%",
        f"{findings.evaluation.rows[3].case.path}: {REFUSAL.message}",
        "knees|8|25.00%|12.50% to 37.50%",
        "Kept from fitting the gate|3",
        "Got a diagnosis: knee-3.png",
        *FILE_VARIANTS,
        "Deletion: better than chance by",
        "Maps with most of their heat at the border",
        "with spoilt weights it is another one",
        "Answered otherwise: 1.",
        "label: NORMAL here, PNEUMONIA there",
        "Normal called pneumonia, probability 90",
        "Pneumonia called normal, probability 45",
        "in doubt (band)",
    ):
        assert words in text, words


def test_every_chart_is_there_in_light_and_dark(findings: Findings) -> None:
    page = _Page(report_html(findings))
    charts = [address for address in page.addresses if address.startswith(_SVG)]
    assert len(charts) == 2 * 8
    assert page.tags.count("source") == 8
    drawings = [base64.b64decode(chart.removeprefix(_SVG)).decode() for chart in charts]
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).tag.endswith("svg")
        assert "<image" not in drawing or "data:image/png" in drawing
    assert {"#e6e9ee" in dark for dark in drawings[0::2]} == {True}
    assert {"#1d2733" in light for light in drawings[1::2]} == {True}
    titles = ("ROC curve", "Precision and recall", "Reliability", "Confusion at", "Scores by class", "Deletion")
    assert all(title in "".join(page.text) for title in titles)


def test_the_same_findings_give_the_same_report(findings: Findings) -> None:
    assert report_html(findings) == report_html(findings)


def test_checks_that_were_not_asked_for_leave_no_trace(findings: Findings) -> None:
    text = "".join(_Page(report_html(Findings(findings.evaluation))).text)
    for words in ("no chest radiograph", "saved again", "Deletion", "what was learned", "running site"):
        assert words not in text


def test_without_errors_the_report_says_so(tmp_path: Path) -> None:
    evaluation = evaluate(FakeReader(level_of), write_cases(tmp_path, [0.1, 0.2], [0.9, 0.8]), resamples=5)
    assert "Wrong answers: 0" in report_html(Findings(evaluation))


def test_the_surest_errors_come_first_and_only_a_dozen(tmp_path: Path) -> None:
    levels = [0.6 + i / 50 for i in range(15)]
    evaluation = evaluate(FakeReader(level_of), write_cases(tmp_path, [0.1, *levels], [0.9]), resamples=5)
    captions = re.findall(r"probability (\d+\.\d)%", report_html(Findings(evaluation)))
    assert len(captions) == 12
    assert [float(c) for c in captions] == sorted(map(float, captions), reverse=True)


def test_what_is_written_elsewhere_cannot_become_a_tag(tmp_path: Path) -> None:
    """Names of files and models come from outside."""
    case = write_case(tmp_path, "p0", 0.1, is_pneumonia=True)
    evil = case.path.rename(case.path.with_name("<script>x&y.png"))
    cases = [type(case)(evil, True, "p0", None), *write_cases(tmp_path, [0.1, 0.2], [0.9, 0.8])]
    card = make_card("<b>bold")
    html = report_html(Findings(evaluate(FakeReader(level_of, card), cases, resamples=5)))
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<tests>" not in html
    assert "&lt;script&gt;x&amp;y.png" in html


# Pictures


def _pixels_of(uri: str) -> cv2.typing.MatLike:
    data = np.frombuffer(base64.b64decode(uri.partition("base64,")[2]), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def test_a_thumbnail_is_small_and_keeps_its_shape() -> None:
    assert _pixels_of(picture_uri(pictures.png(pictures.phantom(600, 400)))).shape == (160, 240, 3)
    assert _pixels_of(picture_uri(pictures.png(pictures.phantom(120, 100)))).shape == (100, 120, 3)


def test_heat_is_laid_over_the_picture_where_it_is_hot_and_red() -> None:
    grey = pictures.png(np.full((90, 90), 100, np.uint8))
    reading: Reading = make_reading(0.9, heat=((0, 0, 0), (0, 0, 0), (0, 0, 1)))
    pixels = _pixels_of(with_heat_uri(grey, reading.heatmap)).astype(int)
    blue, _, red = pixels[82, 82]
    assert red > blue + 40
    assert np.abs(pixels[5, 5] - 100).max() < 6
