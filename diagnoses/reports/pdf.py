"""A report on paper: layout alone. What it says is in its contents; the language must be that of these, and active."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, HRFlowable, PageBreak, SimpleDocTemplate, Spacer, Table

from diagnoses.imaging.printed import Printed
from diagnoses.reports import facts
from diagnoses.reports.contents import Answer, ImageReport, ModelReport, Report, SignedReading
from diagnoses.reports.lettering import ACCENT, BOLD, INK, PLAIN, QUIET, RULE, shortened, text, use_fonts
from diagnoses.reports.pictures import colour_bar, picture_row

_WIDTH, _HEIGHT = A4
_MARGIN = 15 * mm
_PADDING = 6
"""Points that ReportLab's frames keep free within their margins."""
_INSIDE = _WIDTH - 2 * _MARGIN
_COLUMNS = 3
_PEN_LINE = 70 * mm

PictureOf = Callable[[ImageReport], Printed | None]
"""Draws the picture of an image; None where it cannot be shown."""


def pdf_of(report: Report, picture_of: PictureOf) -> bytes:
    """The report as a PDF of A4 pages. Its title names no patient: titles are shown where files are listed."""
    use_fonts()
    buffer = BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN - _PADDING,
        rightMargin=_MARGIN - _PADDING,
        topMargin=19 * mm - _PADDING,
        bottomMargin=22 * mm - _PADDING,
        title=report.title,
        author=report.product,
        creator=report.product,
        lang=report.language,
        displayDocTitle=True,
        pageCompression=1,
    )
    frame = _frame_of(report)
    document.build(_story(report, picture_of), onFirstPage=frame, onLaterPages=frame, canvasmaker=_CountedCanvas)
    return buffer.getvalue()


class _CountedCanvas(Canvas):  # type: ignore[misc]
    """Keeps its pages until all are there, so that each can say how many there are."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - as ReportLab calls it
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        kept = self._kept
        for number, page in enumerate(kept, 1):
            self.__dict__.update(page)
            self.setFont(PLAIN, 7)
            self.setFillColor(QUIET)
            where = _("Page %(number)d of %(total)d") % {"number": number, "total": len(kept)}
            self.drawRightString(_WIDTH - _MARGIN, 10 * mm, where)
            super().showPage()
        super().save()


def _frame_of(report: Report) -> Callable[[Any, Any], None]:
    """What stands on each page: whose it is, who made it, and that it is no diagnosis."""
    made = {"when": facts.time_words(report.made_at), "who": report.made_by}
    made_words = _("Generated %(when)s by %(who)s") % made
    patient = _("Patient %(id)s") % {"id": report.patient.patient_id or _("without ID")}

    def draw(canvas: Any, document: Any) -> None:
        top, half = _HEIGHT - 14 * mm, _INSIDE / 2 - 3 * mm
        canvas.setFillColor(INK)
        canvas.setFont(BOLD, 9)
        canvas.drawString(_MARGIN, top, shortened(report.site or report.product, BOLD, 9, half))
        canvas.setFont(PLAIN, 9)
        canvas.drawRightString(_WIDTH - _MARGIN, top, shortened(patient, PLAIN, 9, half))
        canvas.setStrokeColor(RULE)
        canvas.line(_MARGIN, top - 2 * mm, _WIDTH - _MARGIN, top - 2 * mm)
        canvas.line(_MARGIN, 18 * mm, _WIDTH - _MARGIN, 18 * mm)
        canvas.setFont(BOLD, 7.5)
        canvas.drawString(_MARGIN, 14 * mm, report.notice)
        canvas.setFillColor(QUIET)
        canvas.setFont(PLAIN, 7)
        canvas.drawString(_MARGIN, 10 * mm, shortened(made_words, PLAIN, 7, _INSIDE - 35 * mm))

    return draw


def _story(report: Report, picture_of: PictureOf) -> list[Any]:
    story = [text(report.title, "title"), _grid(facts.study_facts(report))]
    if report.urgent:
        story.append(text(_("Sent as urgent."), lead="!"))
    if report.clinical_note:
        story += [text(_("Clinical note"), "label"), text(report.clinical_note)]
    for image in report.images:
        if image is not report.images[0]:
            story.append(PageBreak())
        story += _image(image, len(report.images), picture_of(image))
    for model in report.models:
        story += _model(model)
    return story


def _image(image: ImageReport, count: int, picture: Printed | None) -> list[Any]:
    place = {"number": image.position + 1, "total": count, "name": image.filename}
    story = [_rule(), text(_("Image %(number)d of %(total)d: %(name)s") % place, "heading")]
    if picture:
        story += [picture_row(picture, _INSIDE), *([colour_bar(_INSIDE)] if picture.heated else []), Spacer(1, 2 * mm)]
    elif image.image_id:
        story.append(text(_("This picture cannot be shown."), "quiet"))
    story += _answer(image.answer) if image.answer else [text(image.status_words, "answer")]
    if image.problem:
        story.append(text(image.problem.words, "note"))
    if image.other_answers:
        story.append(text(_("Other readings by models"), "heading"))
        story += [text(facts.other_answer_words(other)) for other in image.other_answers]
    return story + (_readings(image) if image.image_id else [])


def _answer(answer: Answer) -> list[Any]:
    story: list[Any] = [_grid(facts.answer_facts(answer), columns=4, strong=2)]
    story += [text(note.value, "note", note.label) for note in facts.notes_of(answer)]
    story += [text(" ".join(facts.worth_words(answer)), "quiet")]
    origin = " · ".join(f"{fact.label}: {fact.value}" for fact in facts.origin_facts(answer))
    return [*story, text(origin, "quiet")]


def _readings(image: ImageReport) -> list[Any]:
    story: list[Any] = [CondPageBreak(25 * mm), text(_("The clinician's reading"), "heading")]
    for reading in image.readings:
        story += _reading(reading)
    if image.readings_words:
        story.append(text(image.readings_words))
    if not image.readings and not image.hidden:
        story += [Spacer(1, 9 * mm), HRFlowable(_PEN_LINE, 0.5, color=INK, hAlign="LEFT", spaceAfter=1)]
        story.append(text(_("Name, signature, date"), "label"))
    return story


def _reading(reading: SignedReading) -> list[Any]:
    lead = _("Final:") if reading.final else ""
    words = " · ".join(f"{fact.label}: {fact.value}" for fact in facts.reading_facts(reading))
    body = [text(reading.text)] if reading.text else []
    return [text(words, lead=lead), *body, text(facts.signature_words(reading), "quiet")]


def _model(model: ModelReport) -> list[Any]:
    named = {"name": model.name, "version": model.version}
    story = [
        CondPageBreak(25 * mm),
        _rule(),
        text(_("Limits of the model %(name)s, version %(version)s") % named, "heading"),
    ]
    if model.intended_use:
        story.append(text(model.intended_use, "small"))
    story += [text(f"• {limit}", "small") for limit in model.limits]
    if model.figures:
        story.append(text(_("Measured on patients who were new to it:"), "small"))
        story += [text(f"• {facts.interval_words(figure)}", "small") for figure in model.figures]
    return story


def _grid(items: Sequence[facts.Fact], columns: int = _COLUMNS, strong: int = 0) -> Table:
    """Facts side by side, the first `strong` of them larger."""
    styles = ["answer" if place < strong else "value" for place in range(len(items))]
    cells = [[text(item.label, "label"), text(item.value, style)] for item, style in zip(items, styles, strict=True)]
    cells += [[]] * (-len(cells) % columns)
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    return Table(rows, colWidths=[_INSIDE / columns] * columns, style=look, hAlign="LEFT")


def _rule() -> HRFlowable:
    return HRFlowable("100%", 0.7, color=ACCENT, spaceBefore=4, spaceAfter=0)
