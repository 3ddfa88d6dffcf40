"""The REST API. It does what the pages do, through the same services and selectors."""

import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from math import nan

from django.conf import settings
from django.core.exceptions import TooManyFilesSent
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from diagnoses import audit
from diagnoses.api import limits
from diagnoses.api.authentication import user_still_admitted
from diagnoses.api.negotiation import OneKind
from diagnoses.api.serializers import (
    SealedSearchSerializer,
    SearchSerializer,
    StudySerializer,
    StudyUploadSerializer,
    SubmissionSerializer,
    WaitingStudySerializer,
    result_serializer,
    study_data,
    submission_data,
    waiting_study_data,
)
from diagnoses.forms import StudyFilterForm
from diagnoses.imaging.heatmap import Palette
from diagnoses.models import Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Label
from diagnoses.models.token import Scope
from diagnoses.roles import MAY_SUBMIT
from diagnoses.searching import FIND, TELLING, SearchError, opened_query, sealed_search, tells
from diagnoses.selectors.following import study_state_once_ended
from diagnoses.selectors.history import HiddenFilterError, find_studies, read_instant
from diagnoses.selectors.studies import images_visible_to, states_of, with_files
from diagnoses.services.submission import SubmissionError, submit_study
from diagnoses.states import JobStatus
from diagnoses.views.filtering import filter_detail
from diagnoses.views.finding import user_id
from diagnoses.views.pictures import heatmap_response, palette_of, picture_response, visible_job_with_result
from diagnoses.views.uploads import code_of, say_when_again, sent_files


class StudyPagination(CursorPagination):
    """Keyset pages, newest first."""

    page_size = 25
    ordering = ("-created_at", "-id")

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Refuse a cursor that holds no instant, which the base class would hand on to the database."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position:
            try:
                read_instant(str(cursor.position))
            except ValueError as error:
                raise NotFound(self.invalid_cursor_message) from error
        return cursor


_FILTERS = [
    OpenApiParameter(
        "find", str, description="A search as `POST /api/v1/searches/` has sealed it: no address tells of a patient."
    ),
    OpenApiParameter("label", str, enum=Label.values),
    OpenApiParameter(
        "indeterminate", str, enum=["true", "false"], description="Only where the product cannot tell, or where it can."
    ),
    OpenApiParameter("status", str, enum=[s.value for s in JobStatus]),
    OpenApiParameter("model", str),
    OpenApiParameter("since", OpenApiTypes.DATE),
    OpenApiParameter("until", OpenApiTypes.DATE),
]


_LONGEST_WAIT_SECONDS = 30
_WAIT = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": _LONGEST_WAIT_SECONDS, "default": 0},
    description="Answer as soon as every reading of the study has ended, or after so many seconds with the study as it "
    "then stands. Ask again until nothing is queued or running.",
)

_LONGEST_KEY = 255
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Your own name for this study, such as a UUID. Sent again with the same key, it is not taken in twice: "
    "the answer is the study of the first time, as it stands now. A file that the server could not keep "
    "(`storage_unavailable`) is taken in as a new study, with a key of its own.",
)


@method_decorator(never_cache, name="dispatch")
class PrivateView(APIView):
    """Answers hold patients' data: nothing on the way may keep them. A method without a scope is closed."""

    content_negotiation_class = OneKind
    scopes: Mapping[str, Scope] = {"GET": Scope.READ}


class StudiesView(PrivateView):
    """The collection of studies."""

    scopes = {"GET": Scope.READ, "POST": Scope.SEND}
    parser_classes = [MultiPartParser, FormParser]
    pagination_class = StudyPagination

    @extend_schema(
        operation_id="studies_create",
        request=StudyUploadSerializer,
        parameters=[_IDEMPOTENCY_KEY],
        responses=dict.fromkeys((202, 400, 409, 429, 503), SubmissionSerializer),
    )
    def post(self, request: Request) -> Response:
        """Send a study. 202 with one answer per file; 400 where no file is usable.

        A ZIP archive is opened, and its files are answered one by one. 429 with `Retry-After` while too much waits
        already or after more than a user may send, 503 where the server has no room; 409 where the key was used for
        something else.
        """
        if not request.user.has_perm(MAY_SUBMIT):
            raise PermissionDenied(
                _("This account may not send studies. Ask your administrator for the clinician role.")
            )
        try:
            upload = StudyUploadSerializer(data=request.data)
            upload.is_valid(raise_exception=True)
            actor, key = audit.actor_of(request._request), _idempotency_key(request)
            submission = submit_study(
                actor=actor,
                files=sent_files(actor, upload.validated_data["files"], key),
                details=upload.details(),
                model_version=upload.validated_data["model"],
                idempotency_key=key,
            )
        except SubmissionError as error:
            refusal = _nothing_taken(str(error), code_of(error, otherwise=400)[1])
            say_when_again(refusal, error)
            return refusal
        except TooManyFilesSent:
            words = _("More than {most} files were sent. Send them in parts.")
            return _nothing_taken(words.format(most=settings.CXR_MAX_FILES))
        code = status.HTTP_202_ACCEPTED if submission.study else status.HTTP_400_BAD_REQUEST
        return Response(submission_data(submission), code)

    @extend_schema(operation_id="studies_list", parameters=_FILTERS, responses=StudySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The history, newest first, paged and filtered."""
        form = StudyFilterForm(_opened(request))
        if not form.is_valid():
            raise ValidationError({field: [str(error) for error in errors] for field, errors in form.errors.items()})
        paginator = StudyPagination()
        try:
            studies = with_files(find_studies(request.user, form.wanted()))
        except HiddenFilterError as error:
            raise ValidationError({"detail": [str(error)]}) from error
        page = paginator.paginate_queryset(studies, request, view=self) or []
        actor = audit.actor_of(request._request)
        audit.record(AuditAction.HISTORY_VIEWED, actor, found=len(page), **filter_detail(form))
        results = result_serializer(request)
        return paginator.get_paginated_response([study_data(state, results) for state in states_of(request.user, page)])


class SearchesView(PrivateView):
    """What is looked for, on its way into an address."""

    scopes = {"POST": Scope.READ}

    @extend_schema(operation_id="searches_create", request=SearchSerializer, responses={201: SealedSearchSerializer})
    def post(self, request: Request) -> Response:
        """Seal what may name a patient. The answer's `find` narrows the list of studies; it is this account's alone.

        `search` looks for whole words in file names, patient id, accession number and clinical note: a study matches
        where an image has all of them. `patient_id` is a patient's whole id, in any case.
        """
        said = SearchSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        return Response(
            {"find": sealed_search(user_id(request._request), said.validated_data)}, status.HTTP_201_CREATED
        )


class StudyView(PrivateView):
    """One study."""

    @extend_schema(operation_id="studies_retrieve", parameters=[_WAIT], responses=WaitingStudySerializer)
    def get(self, request: Request, study_id: uuid.UUID) -> Response:
        """The study with the state of each image, and its result once done. 429 where too many wait already."""
        seconds = _seconds_to_wait(request)
        look_as = partial(user_still_admitted, request)
        try:
            with limits.waits.taken(request.user.pk) if seconds else nullcontext():
                state = study_state_once_ended(request.user, study_id, seconds, look_as=look_as)
        except Study.DoesNotExist as error:
            raise Http404 from error
        audit.record(AuditAction.STUDY_VIEWED, audit.actor_of(request._request), state.study)
        return Response(waiting_study_data(state, result_serializer(request)))


class PictureView(PrivateView):
    """One image, as a picture."""

    @extend_schema(operation_id="images_picture", responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: uuid.UUID) -> HttpResponse:
        """The radiograph as a grey JPEG."""
        image = get_object_or_404(images_visible_to(request.user), pk=image_id)
        audit.record(AuditAction.PICTURE_VIEWED, audit.actor_of(request._request), image)
        return picture_response(image)


class HeatmapView(PrivateView):
    """The heatmap of one reading."""

    @extend_schema(
        operation_id="jobs_heatmap",
        parameters=[OpenApiParameter("palette", str, enum=[p.value for p in Palette], default=Palette.JET.value)],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponse:
        """The heatmap in colour, see-through where it is cold."""
        job = visible_job_with_result(request.user, job_id)
        palette = palette_of(request.query_params.get("palette", Palette.JET))
        audit.record(AuditAction.HEATMAP_VIEWED, audit.actor_of(request._request), job)
        return heatmap_response(job, palette)


def _opened(request: Request) -> QueryDict:
    if tells(request.query_params):
        words = _("An address is no place for what tells of a patient: POST it to /api/v1/searches/ first.")
        raise ValidationError({name: [words] for name in TELLING if request.query_params.get(name)})
    try:
        return opened_query(user_id(request._request), request.query_params)
    except SearchError as error:
        raise ValidationError({FIND: [str(error)]}) from error


def _nothing_taken(detail: str, code: int = status.HTTP_400_BAD_REQUEST) -> Response:
    return Response({"id": None, "images": [], "detail": detail}, code)


def _seconds_to_wait(request: Request) -> float:
    try:
        seconds = float(request.query_params.get("wait", 0))
    except ValueError:
        seconds = nan
    if not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        words = _("Give a number of seconds from 0 to {most}.")
        raise ValidationError({"wait": [words.format(most=_LONGEST_WAIT_SECONDS)]})
    return seconds


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > _LONGEST_KEY or not key.isprintable():
        words = _("An Idempotency-Key has at most {most} printable characters, such as a UUID.")
        raise SubmissionError(words.format(most=_LONGEST_KEY))
    return key
