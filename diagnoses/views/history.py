"""The history of all cases that a user may see."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.export import csv_lines
from diagnoses.forms import HistoryForm
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.history import CursorError, HistoryPage, history_page, stream_jobs


@require_safe
@never_cache
def history(request: HttpRequest) -> HttpResponse:
    """One page of the history, filtered."""
    form = HistoryForm(request.GET)
    page, problem = HistoryPage([], ""), ""
    if form.is_valid():
        try:
            page = history_page(request.user, form.wanted(), request.GET.get("after", ""))
        except CursorError as error:
            problem = str(error)
        audit.record(AuditAction.HISTORY_VIEWED, audit.actor_of(request), found=len(page.jobs))
    query = request.GET.copy()
    query.pop("after", None)
    context = {"form": form, "page": page, "problem": problem, "query": query.urlencode(), "filtered": bool(query)}
    return render(request, "diagnoses/history.html", context, status=400 if problem or form.errors else 200)


@require_safe
@never_cache
def history_csv(request: HttpRequest) -> HttpResponseBase:
    """All of the history that matches the filter, as CSV."""
    form = HistoryForm(request.GET)
    if not form.is_valid():
        return HttpResponseBadRequest(_("The filter is not valid. Go back to the history and set it again."))
    audit.record(AuditAction.HISTORY_EXPORTED, audit.actor_of(request), filter=request.GET.urlencode())
    lines = csv_lines(stream_jobs(request.user, form.wanted()))
    response = StreamingHttpResponse(_off_the_loop(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="history-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


async def _off_the_loop(lines: Iterator[str]) -> AsyncIterator[str]:
    """The lines in parcels, each read from the database in a thread."""
    while parcel := await sync_to_async(_parcel)(lines):
        yield parcel


def _parcel(lines: Iterator[str], size: int = 500) -> str:
    return "".join(islice(lines, size))
