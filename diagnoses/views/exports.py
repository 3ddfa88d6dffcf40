"""Exports: asked for, followed, fetched. Each is its owner's alone."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from diagnoses import audit, storage
from diagnoses.forms import HistoryForm
from diagnoses.models import Export
from diagnoses.models.audit import AuditAction
from diagnoses.sealing import SealError
from diagnoses.searching import SearchError, opened_query, sealed_query, untelling, untold_query
from diagnoses.selectors.exports import IN_PROGRESS, exports_of, may_fetch
from diagnoses.selectors.history import HiddenFilterError
from diagnoses.selectors.registry import a_worker_is_alive
from diagnoses.services.exporting import (
    MOST_AT_ONCE,
    NothingToExportError,
    TooManyCasesError,
    TooManyExportsError,
    cancel_export,
    request_export,
    retry_export,
)
from diagnoses.storage import sealed
from diagnoses.views.filtering import Chip, chips_of


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def exports(request: HttpRequest) -> HttpResponse:
    """The user's exports and how far each is; a sent filter is a wish for one more."""
    return _ask(request) if request.method == "POST" else _show(request, "diagnoses/exports.html")


@require_safe
@never_cache
def export_list(request: HttpRequest) -> HttpResponse:
    """The part of that page that changes, for a page that is open."""
    return _show(request, "diagnoses/_exports.html")


@require_safe
@never_cache
def export_file(request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
    """The packed cases."""
    export = get_object_or_404(exports_of(request.user), pk=export_id)
    if not may_fetch(request.user, export):
        raise Http404
    try:
        key = export.key
        with storage.reading(export.stored_name):
            pass  # it is there; it is read once the response is on its way
    except (OSError, SealError) as error:
        raise Http404 from error
    wanted = untelling(export.query)
    audit.record(AuditAction.EXPORT_FETCHED, audit.actor_of(request), export, filter=wanted, studies=export.total)
    response = StreamingHttpResponse(_pieces(export.stored_name, key), content_type="application/zip")
    response["Content-Length"] = str(export.byte_size)
    response["Content-Disposition"] = f'attachment; filename="cases-{timezone.localdate():%Y-%m-%d}-{export.pk}.zip"'
    return response


@require_POST
@never_cache
def export_cancel(request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
    """Have it no more: not packed to its end, or removed before its time."""
    export = get_object_or_404(exports_of(request.user), pk=export_id)
    cancel_export(actor=audit.actor_of(request), export=export)
    return redirect("exports")


@require_POST
@never_cache
def export_retry(request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
    """Pack again what failed."""
    export = get_object_or_404(exports_of(request.user), pk=export_id)
    try:
        retry_export(actor=audit.actor_of(request), export=export)
    except TooManyExportsError:
        return _no(request, export.query, _too_many_at_once_words(), 429)
    return redirect("exports")


def _ask(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    query = ""
    try:
        sent = opened_query(request.user.pk, QueryDict(untold_query(request.user.pk, request.POST.get("query", ""))))
        form = HistoryForm(sent)
        query = _known(request.user, form, sent)
        if not form.is_valid():
            return _no(request, query, _("The filter is not valid. Go back to the history and set it again."), 400)
        request_export(actor=audit.actor_of(request), user=request.user, query=query, wanted=form.wanted())
    except (HiddenFilterError, SearchError) as error:
        return _no(request, query, str(error), 400)
    except NothingToExportError:
        return _no(request, query, _("No case matches, so there is nothing to pack. Loosen the filter."), 400)
    except TooManyCasesError:
        return _no(request, query, _too_many_words(), 400)
    except TooManyExportsError:
        return _no(request, query, _too_many_at_once_words(), 429)
    return redirect("exports")


def _known(user: User, form: HistoryForm, sent: QueryDict) -> str:
    """Only what the filter knows, so that nothing longer is kept or shown again; what tells of a patient is sealed."""
    known = QueryDict(urlencode({name: str(sent[name]) for name in form.fields if sent.get(name)}))
    return sealed_query(user.pk, known).urlencode()


def _too_many_at_once_words() -> str:
    words = ngettext(
        "You have %(most)d export in progress already. Wait until it is ready, or cancel it.",
        "You have %(most)d exports in progress already. Wait until one is ready, or cancel one.",
        MOST_AT_ONCE,
    )
    return words % {"most": MOST_AT_ONCE}


def _too_many_words() -> str:
    most = settings.CXR_EXPORT_CASES
    words = ngettext(
        "More than %(most)d study matches. Narrow the filter, by dates for instance, and export in parts.",
        "More than %(most)d studies match. Narrow the filter, by dates for instance, and export in parts.",
        most,
    )
    return words % {"most": most}


def _no(request: HttpRequest, query: str, words: str, status: int) -> HttpResponse:
    back = f"{reverse('history')}?{query}" if query else reverse("history")
    context = {"title": _("Nothing was exported"), "words": words, "back": back}
    return render(request, "diagnoses/problem.html", context, status=status)


def _show(request: HttpRequest, template: str) -> HttpResponse:
    found = list(exports_of(request.user))
    in_progress = any(export.status in IN_PROGRESS for export in found)
    context = {
        "rows": [_row(request, export) for export in found],
        "in_progress": in_progress,
        "no_worker": in_progress and not a_worker_is_alive(),
        "days": settings.CXR_EXPORT_DAYS,
    }
    return render(request, template, context)


def _row(request: HttpRequest, export: Export) -> dict[str, object]:
    """An export with its filter in words, and the moment at which it goes."""
    until = export.ended_at + timedelta(days=settings.CXR_EXPORT_DAYS) if export.ended_at else None
    return {
        "export": export,
        "until": until,
        "fetchable": may_fetch(request.user, export),
        "chips": _chips(export),
    }


def _chips(export: Export) -> list[Chip]:
    query = QueryDict(export.query)
    try:
        form = HistoryForm(opened_query(export.user_id, query))
    except SearchError:
        return []  # of a key that is gone
    return chips_of(export.user_id, form, query) if form.is_valid() else []


async def _pieces(stored_name: str, key: bytes) -> AsyncIterator[bytes]:
    """The file bit by bit, each read and opened in a thread."""
    with ExitStack() as stack:
        file = await sync_to_async(stack.enter_context)(storage.reading(stored_name))
        opened = sealed.pieces(file, key, stored_name)
        while piece := await sync_to_async(_next_of)(opened):
            yield piece


def _next_of(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")
