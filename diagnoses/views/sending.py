"""What the send page's script asks: to take one file, how those before stand, and whose a file says it is."""

import json
import re
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from diagnoses import audit
from diagnoses.forms import UploadForm
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.sandbox import patient_of
from diagnoses.language import in_words
from diagnoses.models import AuditEvent, Image
from diagnoses.models.audit import AuditAction
from diagnoses.roles import MAY_SUBMIT
from diagnoses.selectors.hiding import hidden_images
from diagnoses.selectors.registry import a_worker_is_alive
from diagnoses.selectors.sending import SentState, sent_before, sent_in
from diagnoses.selectors.viewers import Viewer
from diagnoses.services.submission import SubmissionError
from diagnoses.services.uploading import StudySent, Uploaded, upload_file
from diagnoses.states import ENDED
from diagnoses.templatetags.percent import percent
from diagnoses.views.uploads import code_of, say_when_again, sent_file
from diagnoses.views.verdicts import Verdict, verdict_of

HEADER_BYTES = 128 * 1024
"""How much of a DICOM file is sent ahead to learn whose it is."""
_MOST_DIGESTS = 1000
_MOST_BATCHES = 50
_DIGEST = re.compile("[0-9a-f]{64}")
_ON_RECORD_FOR = timedelta(hours=12)
"""A page that stays open shows the same answers over and over; they are put on record once in this time."""

may_send = permission_required(MAY_SUBMIT, raise_exception=True)


@require_POST
@may_send
@never_cache
def send_file(request: HttpRequest) -> JsonResponse:
    """Take one file of a study."""
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return _refusal("invalid", 400, words)
    if form.cleaned_data["sender"] != str(request.user.pk):
        return _refusal("another_user", 409, _("Another user has signed in on this browser. Nothing was kept."))
    try:
        uploaded = _upload(request, form)
    except SubmissionError as error:
        response = _refusal(*code_of(error, otherwise=422), str(error))
        say_when_again(response, error)
        return response
    return JsonResponse(_receipt(request, uploaded))


@require_safe
@may_send
@never_cache
def send_state(request: HttpRequest) -> JsonResponse:
    """How the files of the batches that are named stand, by their keys."""
    try:
        batches = [uuid.UUID(text) for text in request.GET.getlist("batch")[:_MOST_BATCHES]]
    except ValueError:
        return _refusal("invalid", 400, _("This address names no batch. Reload the page."))
    states = sent_in(request.user, batches)
    covered = _covered(request.user, states)
    _put_on_record(request, [state for state in states if _image_id(state) not in covered])
    return JsonResponse(
        {
            "user": str(request.user.pk),
            "files": {str(state.upload_key): _as_json(state, _image_id(state) in covered) for state in states},
            "worker_is_alive": all(state.file.status in ENDED for state in states) or a_worker_is_alive(),
        }
    )


@require_POST
@may_send
@never_cache
def send_seen(request: HttpRequest) -> JsonResponse:
    """Which of these contents, by their SHA-256, were sent before and are the user's to see."""
    try:
        digests = json.loads(request.body)["sha256"]
        are_digests = len(digests) <= _MOST_DIGESTS and all(map(_DIGEST.fullmatch, digests))
    except (ValueError, KeyError, TypeError):
        are_digests = False
    if not are_digests:
        return _refusal("invalid", 400, _("These are no SHA-256 digests. Reload the page."))
    return JsonResponse({"seen": {image.sha256: _sighting(image) for image in sent_before(request.user, digests)}})


@require_POST
@may_send
@never_cache
def send_header(request: HttpRequest) -> JsonResponse:
    """The patient that the start of a DICOM file names. Nothing of it is kept."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > HEADER_BYTES:
        return _refusal("too_large", 413, _("Only the start of a file is looked at here. Reload the page."))
    try:
        patient = patient_of(request.body)
    except ImageError as error:
        words = in_words(error.message, error.said.as_json() if error.said else {})
        return JsonResponse({"error": {"code": error.fault, "message": words}})
    return JsonResponse({"patient": vars(patient)})


def _upload(request: HttpRequest, form: UploadForm) -> Uploaded:
    said = form.cleaned_data
    actor = audit.actor_of(request)
    return upload_file(
        actor=actor,
        study=StudySent(said["study_key"].hex, form.details(), said["batch"]),
        upload_key=said["upload_key"],
        file=sent_file(actor, said["file"], said["filename"]),
        model_version=form.version(),
    )


def _receipt(request: HttpRequest, uploaded: Uploaded) -> dict[str, Any]:
    receipt: dict[str, Any] = {"study": uploaded.study and reverse("study", args=[uploaded.study.pk])}
    if uploaded.rejected:
        receipt["error"] = {"code": uploaded.rejected.code, "message": uploaded.rejected.words}
    if uploaded.image:
        before = sent_before(request.user, [uploaded.image.sha256], besides=uploaded.image)
        receipt["seen"] = next(map(_sighting, before), None)
    return receipt


def _sighting(image: Image) -> dict[str, str]:
    at = timezone.localtime(image.study.created_at)
    return {"study": reverse("study", args=[image.study_id]), "at": date_format(at, "SHORT_DATETIME_FORMAT")}


def _image_id(state: SentState) -> uuid.UUID | None:
    return state.file.job.image_id if state.file.job else None


def _covered(user: Viewer, states: list[SentState]) -> set[uuid.UUID | None]:
    """The images whose answer is not to be shown to the user yet."""
    images = {state.file.job.image_id for state in states if state.file.job}
    return set(hidden_images(user, images))


def _as_json(state: SentState, is_covered: bool) -> dict[str, Any]:
    file = state.file
    verdict = verdict_of(file.job)
    shown: dict[str, Any] = {
        "status": file.status,
        "study": reverse("study", args=[state.study.pk]),
        "waiting": state.waiting.words if state.waiting else "",
        "reason": file.error_message,
        "rank": Verdict.values.index(verdict),
        "verdict": verdict.value,
    }
    if is_covered:
        return shown | {"verdict": "covered", "rank": 0}
    if file.result:
        shown |= {"probability": percent(file.result.probability), "order": file.result.probability}
    return shown


def _put_on_record(request: HttpRequest, states: list[SentState]) -> None:
    """Each answer once it is shown, and not again at each look of an open page."""
    shown: dict[uuid.UUID, set[str]] = {}
    studies = {state.study.pk: state.study for state in states}
    for state in states:
        if state.file.job and state.file.status in ENDED:
            shown.setdefault(state.study.pk, set()).add(f"{state.file.job.pk}:{state.file.job.token}")
    before = AuditEvent.objects.filter(
        action=AuditAction.STUDY_VIEWED,
        object_type="study",
        object_id__in=map(str, shown),
        actor_id=request.user.pk,
        at__gt=timezone.now() - _ON_RECORD_FOR,
        detail__has_key="answers",
    )
    for event in before:
        shown[uuid.UUID(event.object_id)] -= set(event.detail["answers"])
    audit.record_all(
        audit.AuditEntry(AuditAction.STUDY_VIEWED, audit.actor_of(request), studies[pk], {"answers": sorted(answers)})
        for pk, answers in shown.items()
        if answers
    )


def _refusal(code: str, status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
