"""The API's part that hands out reports."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from diagnoses.api.views import PrivateView
from diagnoses.models.job import Label
from diagnoses.reports.contents import as_data
from diagnoses.states import JobStatus
from diagnoses.views.reports import pdf_response, recorded_report

_LANGUAGE = OpenApiParameter(
    "language",
    str,
    enum=[code for code, _ in settings.LANGUAGES],
    description="The language of its words; as the request's `Accept-Language` wants it otherwise.",
)


class CodedSerializer(serializers.Serializer[Any]):
    """A code with its words; an empty code where there is none."""

    code = serializers.CharField(allow_blank=True)
    words = serializers.CharField(allow_blank=True)


class IntervalSerializer(serializers.Serializer[Any]):
    """A measured share with its 95 % interval, and of what it is."""

    words = serializers.CharField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class ReportOverrideSerializer(serializers.Serializer[Any]):
    """A refusal that a person overrode before the reading."""

    refusal = CodedSerializer()
    reason = serializers.CharField()
    by = serializers.CharField()


class ReportAnswerSerializer(serializers.Serializer[Any]):
    """The model's answer. `certainty` is how often such answers were right; null where that was not measured."""

    job_id = serializers.UUIDField()
    words = serializers.CharField()
    label = serializers.ChoiceField(choices=Label.choices)  # type: ignore[assignment]
    label_words = serializers.CharField()
    probability = serializers.FloatField()
    certainty = IntervalSerializer(allow_null=True)
    certainty_words = serializers.CharField()
    prevalence = serializers.FloatField(allow_null=True)
    share_right = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField()
    band_low = serializers.FloatField()
    band_high = serializers.FloatField()
    indeterminate = CodedSerializer(allow_null=True)
    warnings = CodedSerializer(many=True)
    override = ReportOverrideSerializer(allow_null=True)
    model = serializers.CharField()
    model_version = serializers.CharField()
    engine = serializers.CharField()
    read_at = serializers.DateTimeField()
    weights_sha256 = serializers.CharField()
    image_sha256 = serializers.CharField()


class OtherAnswerSerializer(serializers.Serializer[Any]):
    """What another model said before."""

    model = serializers.CharField()
    model_version = serializers.CharField()
    words = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)


class SignedReadingSerializer(serializers.Serializer[Any]):
    """What a clinician signed; the final one counts."""

    final = serializers.BooleanField()
    revised = serializers.BooleanField()
    part = CodedSerializer()
    finding = CodedSerializer()
    agreement = CodedSerializer(allow_null=True)
    text = serializers.CharField(allow_blank=True)
    reader = serializers.CharField()
    signed_at = serializers.DateTimeField()


class ImageReportSerializer(serializers.Serializer[Any]):
    """One file of the study. `hidden`: its answer is kept from a user who reads first."""

    position = serializers.IntegerField()
    image_id = serializers.UUIDField(allow_null=True)
    filename = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    status_words = serializers.CharField()
    hidden = serializers.BooleanField()
    problem = CodedSerializer(allow_null=True)
    answer = ReportAnswerSerializer(allow_null=True)
    other_answers = OtherAnswerSerializer(many=True)
    readings = SignedReadingSerializer(many=True)
    readings_words = serializers.CharField(allow_blank=True)


class ModelReportSerializer(serializers.Serializer[Any]):
    """A model that gave one of the answers."""

    name = serializers.CharField()
    version = serializers.CharField()
    intended_use = serializers.CharField(allow_blank=True)
    limits = serializers.ListField(child=serializers.CharField())
    figures = IntervalSerializer(many=True)


class ReportPatientSerializer(serializers.Serializer[Any]):
    """Whom the report is about."""

    patient_id = serializers.CharField(allow_blank=True)
    sex = serializers.CharField(allow_blank=True, help_text="F, M or O, as in DICOM (0010,0040).")
    sex_words = serializers.CharField(allow_blank=True)
    birth_date = serializers.DateField(allow_null=True)
    age_words = serializers.CharField(allow_blank=True)


class ReportSerializer(serializers.Serializer[Any]):
    """The report of a study."""

    language = serializers.ChoiceField(choices=settings.LANGUAGES)
    title = serializers.CharField()
    notice = serializers.CharField()
    product = serializers.CharField()
    site = serializers.CharField(allow_blank=True)
    study_id = serializers.UUIDField()
    patient = ReportPatientSerializer()
    accession_number = serializers.CharField(allow_blank=True)
    clinical_note = serializers.CharField(allow_blank=True)
    urgent = serializers.BooleanField()
    sent_at = serializers.DateTimeField()
    sent_by = serializers.CharField()
    images = ImageReportSerializer(many=True)
    models = ModelReportSerializer(many=True)
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()


class ReportView(PrivateView):
    """The report of a study, as data."""

    @extend_schema(operation_id="studies_report", parameters=[_LANGUAGE], responses=ReportSerializer)
    def get(self, request: Request, study_id: uuid.UUID) -> Response:
        """All that the printed report says, answers hidden from its reader left out."""
        with recorded_report(request._request, study_id, "json") as report:
            return Response(as_data(report))


class ReportPdfView(PrivateView):
    """The report of a study, on paper."""

    @extend_schema(
        operation_id="studies_report_pdf",
        parameters=[_LANGUAGE],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, study_id: uuid.UUID) -> HttpResponse:
        """The report as PDF."""
        return pdf_response(request._request, study_id)
