"""The history of all cases that a user may see."""

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from diagnoses import audit
from diagnoses.export import csv_lines
from diagnoses.forms import ColumnsForm, HistoryForm
from diagnoses.models.audit import AuditAction
from diagnoses.preferences import profile_of
from diagnoses.searching import SearchError, untold_query
from diagnoses.selectors.cases import cases_of, stream_cases
from diagnoses.selectors.history import CursorError, HiddenFilterError, HistoryPage, history_page, stream_jobs
from diagnoses.services.profiles import save_profile
from diagnoses.tables import COLUMN_CHOICES, HistoryTable
from diagnoses.views.filtering import chips_of, filter_detail
from diagnoses.views.finding import opened_address, untold, user_id
from diagnoses.views.streaming import off_the_loop


@require_safe
@never_cache
@untold
def history(request: HttpRequest) -> HttpResponse:
    """One page of the history, filtered."""
    page, problem = HistoryPage([], ""), ""
    query = request.GET.copy()
    query.pop("after", None)
    try:
        form = HistoryForm(opened_address(request))
    except SearchError as error:
        return _cannot_open(request, error)
    if form.is_valid():
        try:
            page = history_page(request.user, form.wanted(), request.GET.get("after", ""))
        except (CursorError, HiddenFilterError) as error:
            problem = str(error)
        audit.record(AuditAction.HISTORY_VIEWED, audit.actor_of(request), found=len(page.jobs), **filter_detail(form))
    chips = chips_of(user_id(request), form, query) if form.is_valid() else []
    context = {
        "form": form,
        "page": page,
        "table": _table(request, page),
        "column_choices": COLUMN_CHOICES,
        "problem": problem,
        "query": query.urlencode(),
        "chips": chips,
        "filtered": bool(query),
        "more": bool(form.errors) or any(name != "search" and form.cleaned_data[name] for name in form.cleaned_data),
        "most_cases": settings.CXR_EXPORT_CASES,
    }
    return render(request, "diagnoses/history.html", context, status=400 if problem or form.errors else 200)


@require_safe
@never_cache
@untold
def history_csv(request: HttpRequest) -> HttpResponseBase:
    """All of the history that matches the filter, as CSV."""
    try:
        form = HistoryForm(opened_address(request))
    except SearchError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    if not form.is_valid():
        return HttpResponseBadRequest(_("The filter is not valid. Go back to the history and set it again."))
    try:
        lines = csv_lines(stream_cases(request.user, stream_jobs(request.user, form.wanted())))
    except HiddenFilterError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    audit.record(AuditAction.HISTORY_EXPORTED, audit.actor_of(request), **filter_detail(form))
    response = StreamingHttpResponse(off_the_loop(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="history-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


@require_POST
@never_cache
def history_columns(request: HttpRequest) -> HttpResponse:
    """Keep which columns the history shows to this user; leads back to where they were chosen."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    query = untold_query(user_id(request), request.POST.get("query", ""))
    form = ColumnsForm(request.POST)
    if "usual" in request.POST:
        save_profile(user=request.user, actor=audit.actor_of(request), history_columns=[])
    elif form.is_valid():
        save_profile(user=request.user, actor=audit.actor_of(request), history_columns=form.cleaned_data["columns"])
    else:
        words = {"title": _("No columns were chosen"), "words": str(form.errors["columns"][0])}
        return render(request, "diagnoses/problem.html", words | {"back": reverse("history")}, status=400)
    return redirect(f"{reverse('history')}?{query}" if query else reverse("history"))


def _cannot_open(request: HttpRequest, error: SearchError) -> HttpResponse:
    words = {"title": _("This search cannot be opened"), "words": str(error), "back": reverse("history")}
    return render(request, "diagnoses/problem.html", words, status=400)


def _table(request: HttpRequest, page: HistoryPage) -> HistoryTable:
    assert isinstance(request.user, User)  # noqa: S101 - as above
    return HistoryTable(cases_of(request.user, page.jobs), profile_of(request.user).history_columns)
