"""The report of a study: as a page to preview and print, as PDF, as JSON. Each look at it is on record."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.models import Study
from diagnoses.models.audit import AuditAction
from diagnoses.reports import facts
from diagnoses.reports.contents import ImageReport, Report, as_data
from diagnoses.reports.making import report_of
from diagnoses.reports.pdf import pdf_of
from diagnoses.reports.pictures import printed_picture


@require_safe
@never_cache
def report_page(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """The report as a page. `?language=` is that of the document alone, `vi` or `en`."""
    with recorded_report(request, study_id, "page") as report:
        context = {
            "report": report,
            "facts": facts.study_facts(report),
            "made": facts.time_words(report.made_at),
            "images": [_shown(image) for image in report.images],
            "models": [(model, [facts.interval_words(figure) for figure in model.figures]) for model in report.models],
        }
    return render(request, "diagnoses/report.html", context)


@require_safe
@never_cache
def report_pdf(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """The report as PDF."""
    return pdf_response(request, study_id)


@require_safe
@never_cache
def report_json(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """The report as JSON."""
    with recorded_report(request, study_id, "json") as report:
        response = JsonResponse(as_data(report), json_dumps_params={"ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{_file_name(report)}.json"'
    return response


def pdf_response(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """The PDF, shown by the browser where it can. Its file name holds nothing of the patient."""
    with recorded_report(request, study_id, "pdf") as report:
        response = HttpResponse(pdf_of(report, printed_picture), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{_file_name(report)}.pdf"'
    return response


@contextmanager
def recorded_report(request: HttpRequest, study_id: uuid.UUID, how: str) -> Iterator[Report]:
    """The report, put on record, with its language active meanwhile.

    Raises Http404 for a study that the user may not see, and for a language that reports are not made in.
    """
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    language = _language_of(request)
    with translation.override(language):
        try:
            report = report_of(request.user, study_id)
        except Study.DoesNotExist as error:
            raise Http404 from error
        _record(request, report, how)
        yield report


def _record(request: HttpRequest, report: Report, how: str) -> None:
    target = Study(pk=report.study_id)
    audit.record(AuditAction.REPORT_VIEWED, audit.actor_of(request), target, format=how, language=report.language)


def _language_of(request: HttpRequest) -> str:
    spoken = dict(settings.LANGUAGES)
    wanted = request.GET.get("language") or translation.get_language() or settings.LANGUAGE_CODE
    if wanted not in spoken:
        raise Http404(f"There is no report in the language {wanted!r}; choose one of {', '.join(spoken)}.")
    return wanted


def _file_name(report: Report) -> str:
    return f"report-{report.study_id}-{report.language}"


def _shown(image: ImageReport) -> dict[str, object]:
    """An image with its facts as the page lists them."""
    answer = image.answer
    shown: dict[str, object] = {"image": image, "number": image.position + 1}
    if answer:
        shown |= {
            "answer": facts.answer_facts(answer),
            "notes": facts.notes_of(answer),
            "worth": facts.worth_words(answer),
            "origin": facts.origin_facts(answer),
        }
    shown["others"] = [facts.other_answer_words(other) for other in image.other_answers]
    shown["readings"] = [
        (reading, facts.reading_facts(reading), facts.signature_words(reading)) for reading in image.readings
    ]
    return shown
