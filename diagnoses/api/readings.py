"""The API's part that asks for readings, and says what can read."""

import uuid

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from diagnoses import audit
from diagnoses.api.serializers import (
    ModelSerializer,
    OverrideRequestSerializer,
    ProblemSerializer,
    ReadingRequestSerializer,
    ReadingSerializer,
    reading_data,
    result_serializer,
)
from diagnoses.api.views import PrivateView
from diagnoses.models.token import Scope
from diagnoses.roles import MAY_OVERRIDE, MAY_SUBMIT
from diagnoses.selectors.cards import all_model_versions
from diagnoses.selectors.hiding import cover
from diagnoses.selectors.studies import images_visible_to, jobs_visible_to
from diagnoses.services.rereading import RereadError, request_reread
from diagnoses.services.retrying import override_refusal


class Conflict(APIException):
    """The state of things forbids it."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class OverrideView(PrivateView):
    """A refusal of the gate, overridden."""

    scopes = {"POST": Scope.DECIDE}

    @extend_schema(
        operation_id="jobs_override",
        request=OverrideRequestSerializer,
        responses={202: ReadingSerializer, 409: ProblemSerializer},
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Have a refused image read all the same; the reason stays on record. 409 for what the gate did not refuse."""
        _need(
            request,
            MAY_OVERRIDE,
            _("This account may not override refusals. Ask your administrator for the clinician role."),
        )
        job = get_object_or_404(jobs_visible_to(request.user), pk=job_id)
        asked = OverrideRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        actor = audit.actor_of(request._request)
        if not override_refusal(job=job, actor=actor, reason=asked.validated_data["reason"]):
            raise Conflict(
                _("This reading does not wait for anybody's word: the gate has not refused it, or not any more.")
            )
        return _reading(request, job.pk)


class ReadingsView(PrivateView):
    """The readings of an image."""

    scopes = {"POST": Scope.DECIDE}

    @extend_schema(
        operation_id="images_read_again",
        request=ReadingRequestSerializer,
        responses={202: ReadingSerializer, 409: ProblemSerializer},
    )
    def post(self, request: Request, image_id: uuid.UUID) -> Response:
        """Have an image read with another model. 409 where that one reads or has read it, or cannot read now."""
        _need(
            request,
            MAY_SUBMIT,
            _("This account may not ask for readings. Ask your administrator for the clinician role."),
        )
        image = get_object_or_404(images_visible_to(request.user), pk=image_id)
        asked = ReadingRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            job = request_reread(
                actor=audit.actor_of(request._request), image=image, model_version=asked.validated_data["model"]
            )
        except RereadError as error:
            raise Conflict(str(error)) from error
        return _reading(request, job.pk)


class ModelsView(PrivateView):
    """What reads here, or has read."""

    @extend_schema(operation_id="models_list", responses=ModelSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every registered version of a model, with its card's figures and limits."""
        return Response(ModelSerializer(all_model_versions(), many=True).data)


def _need(request: Request, permission: str, otherwise: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied(otherwise)


def _reading(request: Request, job_id: uuid.UUID) -> Response:
    """The reading as it stands now."""
    job = jobs_visible_to(request.user).get(pk=job_id)
    cover(request.user, [job])
    return Response(reading_data(job, result_serializer(request)), status.HTTP_202_ACCEPTED)
