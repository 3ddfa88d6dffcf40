"""Sending a study, and following it."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.db import close_old_connections
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from diagnoses import audit
from diagnoses.accounts.timeouts import session_stands
from diagnoses.forms import StudyForm
from diagnoses.imaging.heatmap import Palette
from diagnoses.models import Image, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.reading import Finding
from diagnoses.notices import following_async
from diagnoses.roles import MAY_SUBMIT
from diagnoses.selectors.comparing import earlier_studies
from diagnoses.selectors.earlier import earlier_images
from diagnoses.selectors.following import LOOK_ANYWAY_SECONDS, LOOKING, Pace
from diagnoses.selectors.pausing import pause_of_late
from diagnoses.selectors.registry import a_worker_is_alive, available_model_versions
from diagnoses.selectors.studies import StudyState, study_state
from diagnoses.selectors.viewers import Viewer
from diagnoses.selectors.waiting import waiting_of
from diagnoses.services.submission import Answer, Submission, SubmissionError, submit_study
from diagnoses.views.shown import Draft, at_a_glance, shown_images
from diagnoses.views.uploads import code_of, say_when_again, sent_files
from diagnoses.views.verdicts import Verdict

_STREAM_SECONDS = 300.0


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_SUBMIT, raise_exception=True)
@never_cache
def send(request: HttpRequest) -> HttpResponse:
    """The form to send a study with; a sent one leads to its page."""
    if request.method != "POST":
        return _form(request, StudyForm())
    form = StudyForm(request.POST, request.FILES)
    if not form.is_valid():
        return _send_again(request, form)
    try:
        submission = _submit(request, form)
    except SubmissionError as error:
        form.add_error("files", str(error))
        response = _send_again(request, form, status=code_of(error, otherwise=400)[1])
        say_when_again(response, error)
        return response
    if submission.study is None:
        return _send_again(request, form, rejected=submission.answers)
    return redirect("study", submission.study.pk)


@require_safe
@never_cache
def study(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """A study: its pictures, and the answer to each as far as there is one."""
    return _show(request, study_id, "diagnoses/study.html")


@require_safe
@never_cache
def study_images(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """The part of the study's page that changes, for a page that is already open."""
    return _show(request, study_id, "diagnoses/_images.html")


@require_safe
@never_cache
async def study_events(request: HttpRequest, study_id: uuid.UUID) -> StreamingHttpResponse:
    """Server-sent events: one at each change, each only a hint to fetch the page's changing part again."""
    user = await request.auser()
    await sync_to_async(_visible_state)(user, study_id)
    changes = _changes(user, study_id, request.session.session_key)
    response = StreamingHttpResponse(changes, content_type="text/event-stream; charset=utf-8")
    response["X-Accel-Buffering"] = "no"
    return response


def _submit(request: HttpRequest, form: StudyForm) -> Submission:
    actor = audit.actor_of(request)
    return submit_study(
        actor=actor,
        files=sent_files(actor, form.cleaned_data["files"]),
        details=form.details(),
        model_version=form.version(),
    )


def _send_again(
    request: HttpRequest, form: StudyForm, status: int = 400, rejected: Sequence[Answer] = ()
) -> HttpResponse:
    """The form as it was filled in, with the reasons why nothing was taken."""
    return _form(request, form, status, rejected)


def _form(request: HttpRequest, form: StudyForm, status: int = 200, rejected: Sequence[Answer] = ()) -> HttpResponse:
    context = {
        "form": form,
        "rejected": rejected,
        "verdicts": list(Verdict),
        "most_files": settings.CXR_MAX_FILES,
        "most_bytes": settings.CXR_MAX_FILE_BYTES,
    }
    return render(request, "diagnoses/send.html", context, status=status)


def show_problem(
    request: HttpRequest, image: Image, problem: str, status: int, draft: Draft | None = None
) -> HttpResponse:
    """The page of the image's study again, with words beside the image why what was asked for was not done."""
    template = "diagnoses/study.html"
    return _show(request, image.study_id, template, status=status, draft=draft, problem=problem, problem_image=image.pk)


def _show(
    request: HttpRequest,
    study_id: uuid.UUID,
    template: str,
    status: int = 200,
    draft: Draft | None = None,
    **context: object,
) -> HttpResponse:
    state = _visible_state(request.user, study_id)
    audit.record(AuditAction.STUDY_VIEWED, audit.actor_of(request), state.study)
    images = shown_images(request.user, state, available_model_versions(), draft)
    context |= {
        "state": state,
        "study": state.study,
        "images": images,
        "glance": at_a_glance(images),
        "palettes": list(Palette),
        "earlier": earlier_images(request.user, state.study),
        "prevalence": settings.CXR_PREVALENCE,
        "worker_is_alive": state.ended or a_worker_is_alive(),
        "waiting": waiting_of(state),
        "findings": Finding,
        "earlier_studies": earlier_studies(request.user, state.study),
    }
    return render(request, template, context, status=status)


def _visible_state(user: Viewer, study_id: uuid.UUID) -> StudyState:
    try:
        return study_state(user, study_id)
    except Study.DoesNotExist as error:
        raise Http404 from error


def _look(user: Viewer, study_id: uuid.UUID, session: str | None) -> tuple[bool, str] | None:
    """Whether all has ended, and what changes whenever the page should; None once the session has ended.

    Without keeping a database connection for as long as the page stays open.
    """
    with LOOKING:
        try:
            if not session_stands(session):
                return None
            state = study_state(user, study_id)
            waiting = waiting_of(state)
            pause = pause_of_late()
            return state.ended, f"{state.fingerprint} {waiting.words if waiting else ''} {pause.pk if pause else ''}"
        finally:
            close_old_connections()


async def _changes(user: Viewer, study_id: uuid.UUID, session: str | None) -> AsyncIterator[str]:
    """An event at each change until all has ended, or the session. After five minutes the browser connects anew."""
    seen = ""
    until = time.monotonic() + _STREAM_SECONDS
    pace = Pace()
    yield "retry: 2000\n\n"
    with following_async(study_id) as changes:
        while time.monotonic() < until:
            looked = await sync_to_async(_look)(user, study_id, session)
            if looked is None:
                return
            ended, now = looked
            if now != seen:
                seen = now
                yield f"event: state\ndata: {json.dumps({'ended': ended})}\n\n"
            if ended:
                return
            await changes.wait(LOOK_ANYWAY_SECONDS)
            await asyncio.sleep(pace.pause_seconds())
