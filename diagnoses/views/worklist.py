"""The worklist: what needs a person first, as it changes, and what can be done with several studies at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from diagnoses import audit
from diagnoses.filters import WorklistFilter
from diagnoses.forms import ReaderForm
from diagnoses.models import ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import MAY_SUBMIT
from diagnoses.searching import SearchError, untold_query
from diagnoses.selectors.registry import available_model_versions
from diagnoses.selectors.studies import images_visible_to, listed_for
from diagnoses.selectors.worklist import PAGE_SIZE, page_of, studies_of
from diagnoses.services.rereading import RereadError, request_reread
from diagnoses.services.samples import send_sample
from diagnoses.services.submission import SubmissionError
from diagnoses.services.urgency import set_urgency
from diagnoses.views.filtering import filter_detail
from diagnoses.views.finding import opened_address, untold, user_id
from diagnoses.views.worklist_rows import WorklistRow

_PAGE = "page"


@require_safe
@never_cache
@untold
def worklist(request: HttpRequest) -> HttpResponse:
    """A page of the worklist."""
    try:
        wanted = WorklistFilter(opened_address(request), user=request.user)
    except SearchError as error:
        messages.error(request, str(error))
        return redirect("worklist")
    number = _page_number(request)
    ids, total = page_of(wanted.qs, number) if wanted.form.is_valid() else ([], 0)
    rows = _rows(request, ids)
    if wanted.form.is_valid():
        audit.record(
            AuditAction.WORKLIST_VIEWED, audit.actor_of(request), found=len(rows), **filter_detail(wanted.form)
        )
    query = _query(request)
    context = {
        "filter": wanted,
        "rows": rows,
        "total": total,
        "query": query,
        "page": _Pages(number, total, query),
        "versions": available_model_versions(),
        "is_new_here": not rows and not listed_for(request.user).exists(),
    }
    return render(request, "diagnoses/worklist.html", context, status=400 if wanted.form.errors else 200)


@require_safe
@never_cache
def worklist_changes(request: HttpRequest) -> HttpResponse:
    """For an open page that says which rows it shows, as `study~state`: those that changed, and how many it lacks."""
    try:
        wanted = WorklistFilter(opened_address(request), user=request.user)
        shown = _shown_states(request.GET.getlist("shown"))
    except SearchError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    except ValueError:
        return HttpResponseBadRequest(_("These rows are not valid. Reload the page."))
    if not wanted.form.is_valid():
        return HttpResponseBadRequest(_("The filter is not valid. Reload the page."))
    number = _page_number(request)
    ids, total = page_of(wanted.qs, number)
    changed = [row for row in _rows(request, list(shown)) if row.state != shown[row.of.state.study.pk]]
    if changed:
        audit.record(
            AuditAction.WORKLIST_VIEWED, audit.actor_of(request), found=len(changed), **filter_detail(wanted.form)
        )
    query = _query(request)
    new = len([pk for pk in ids if pk not in shown])
    context = {"rows": changed, "total": total, "new": new, "page": _Pages(number, total, query), "query": query}
    return render(request, "diagnoses/_worklist_changes.html", context)


@require_POST
@permission_required(MAY_SUBMIT, raise_exception=True)
@never_cache
def worklist_selected(request: HttpRequest) -> HttpResponse:
    """Do something with each of the selected studies, and lead back to the list."""
    try:
        ids = [UUID(key) for key in request.POST.getlist("study")[:PAGE_SIZE]]
    except ValueError:
        return HttpResponseBadRequest(_("These studies are not valid. Reload the page."))
    studies = list(listed_for(request.user).filter(pk__in=ids))
    act = request.POST.get("do", "")
    if not studies:
        messages.error(request, _("No study is selected. Tick some first, or press x on the one in focus."))
    elif act in ("urgent", "not_urgent"):
        _set_urgency(request, studies, urgent=act == "urgent")
    elif act == "read_again":
        _read_again(request, studies)
    else:
        return HttpResponseBadRequest(_("There is no such action. Reload the page."))
    query = untold_query(user_id(request), request.POST.get("query", ""))
    return HttpResponseRedirect(f"{reverse('worklist')}{'?' if query else ''}{query}")


@require_POST
@permission_required(MAY_SUBMIT, raise_exception=True)
@never_cache
def sample(request: HttpRequest) -> HttpResponse:
    """Send a drawn chest, to see what happens; leads to its study."""
    try:
        study = send_sample(actor=audit.actor_of(request)).study
    except SubmissionError as error:
        messages.error(request, str(error))
        return redirect("worklist")
    if study is None:
        messages.error(request, _("The sample could not be kept. Try again in a minute."))
        return redirect("worklist")
    return redirect("study", study.pk)


@dataclass(frozen=True)
class _Pages:
    """Where a page is among the others."""

    number: int
    total: int
    query: str

    @property
    def count(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))

    @property
    def before(self) -> str:
        return self._address(self.number - 1) if self.number > 1 else ""

    @property
    def after(self) -> str:
        return self._address(self.number + 1) if self.number < self.count else ""

    @property
    def here(self) -> str:
        return self._address(self.number)

    def _address(self, number: int) -> str:
        parts = [self.query, f"{_PAGE}={number}" if number > 1 else ""]
        return f"{reverse('worklist')}?{'&'.join(filter(None, parts))}".rstrip("?")


def _page_number(request: HttpRequest) -> int:
    number = request.GET.get(_PAGE, "1")
    return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else 1


def _query(request: HttpRequest) -> str:
    """The filter as the address has it."""
    query = request.GET.copy()
    for name in (_PAGE, "shown"):
        query.pop(name, None)
    return query.urlencode()


def _rows(request: HttpRequest, ids: Sequence[UUID]) -> list[WorklistRow]:
    return [WorklistRow(study) for study in studies_of(request.user, ids)]


def _shown_states(shown: Sequence[str]) -> dict[UUID, str]:
    pairs = [entry.partition("~") for entry in shown[:PAGE_SIZE]]
    return {UUID(key): state for key, _tilde, state in pairs}


def _set_urgency(request: HttpRequest, studies: Sequence[Study], *, urgent: bool) -> None:
    count = set_urgency(actor=audit.actor_of(request), studies=studies, urgent=urgent)
    said = (
        ngettext("%(count)d study is urgent now.", "%(count)d studies are urgent now.", count)
        if urgent
        else ngettext("%(count)d study is not urgent any more.", "%(count)d studies are not urgent any more.", count)
    )
    messages.success(request, said % {"count": count})


def _read_again(request: HttpRequest, studies: Sequence[Study]) -> None:
    form = ReaderForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["model"][0]))
        return
    asked, problem = _ask_for(request, studies, form.version())
    if asked:
        said = ngettext("%(count)d image is being read again.", "%(count)d images are being read again.", asked)
        messages.success(request, said % {"count": asked})
    elif problem:
        messages.error(request, problem)


def _ask_for(request: HttpRequest, studies: Sequence[Study], version: ModelVersion) -> tuple[int, str]:
    """How many images of theirs will be read with the version, and why the last of the others will not."""
    asked, problem = 0, ""
    for image in images_visible_to(request.user).filter(study__in=studies).exclude(jobs=None):
        try:
            request_reread(actor=audit.actor_of(request), image=image, model_version=version)
            asked += 1
        except RereadError as error:
            problem = str(error)
    return asked, problem
