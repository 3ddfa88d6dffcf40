"""The shapes of the API."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from diagnoses.models import Result, Study
from diagnoses.models.job import Label
from diagnoses.models.study import Sex
from diagnoses.selectors.studies import StudyImage, StudyState
from diagnoses.services.submission import Answer, StudyDetails, Submission
from diagnoses.states import JobStatus


class StudyUploadSerializer(serializers.Serializer[Any]):
    """What is sent: files, and what is known of the patient."""

    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        required=False,
        default=list,
        help_text="PNG, JPEG or DICOM radiographs; the part may be repeated.",
    )
    patient_id = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    patient_sex = serializers.ChoiceField(choices=Sex.choices, required=False, allow_blank=True, default="")
    patient_birth_date = serializers.DateField(required=False, allow_null=True, default=None)
    accession_number = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    clinical_note = serializers.CharField(required=False, allow_blank=True, max_length=4000, default="")

    def details(self) -> StudyDetails:
        """What was said of the study, checked."""
        return StudyDetails(**{name: value for name, value in self.validated_data.items() if name != "files"})


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a file was not taken or not read, and what to do."""

    code = serializers.CharField()
    message = serializers.CharField()


class ResultSerializer(serializers.ModelSerializer[Result]):
    """What the model said of one image. `probability` is that of pneumonia, calibrated; `score` is in log-odds."""

    model = serializers.CharField(source="job.model_version.name")
    model_version = serializers.CharField(source="job.model_version.version")
    label = serializers.ChoiceField(choices=Label.choices)  # type: ignore[assignment]
    heatmap_url = serializers.SerializerMethodField()
    timings_ms = serializers.DictField(child=serializers.FloatField())

    class Meta:
        model = Result
        fields = (
            "label",
            "probability",
            "score",
            "threshold",
            "model",
            "model_version",
            "weights_sha256",
            "image_sha256",
            "engine",
            "heatmap_url",
            "timings_ms",
        )

    @extend_schema_field(serializers.URLField())
    def get_heatmap_url(self, result: Result) -> str:
        """Where the coloured heatmap is; takes `?palette=jet` or `viridis`."""
        url = reverse("api_heatmap", args=[result.job_id])
        request = self.context.get("request")
        return request.build_absolute_uri(url) if request else url


class StudyImageSerializer(serializers.Serializer[Any]):
    """One file of a study. A file that was not taken in has no `id` and the status `refused`."""

    id = serializers.UUIDField(allow_null=True)
    filename = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    error = ErrorSerializer(allow_null=True)
    result = ResultSerializer(required=False)


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study with its files."""

    images = StudyImageSerializer(many=True)

    class Meta:
        model = Study
        fields = (
            "id",
            "created_at",
            "patient_id",
            "patient_sex",
            "patient_birth_date",
            "accession_number",
            "clinical_note",
            "images",
        )


class SubmissionSerializer(serializers.Serializer[Any]):
    """The answer to a sent study: one entry per file, in the order sent. No `id` where no file was usable."""

    id = serializers.UUIDField(allow_null=True)
    images = StudyImageSerializer(many=True)
    detail = serializers.CharField(required=False)


def submission_data(submission: Submission) -> dict[str, Any]:
    """A submission in the shape of `SubmissionSerializer`."""
    return {
        "id": str(submission.study.pk) if submission.study else None,
        "images": [_answer_data(answer) for answer in submission.answers],
    }


def study_data(state: StudyState, context: dict[str, Any]) -> dict[str, Any]:
    """A study in the shape of `StudySerializer`."""
    study = state.study
    return {
        "id": str(study.pk),
        "created_at": study.created_at.isoformat(),
        "patient_id": study.patient_id,
        "patient_sex": study.patient_sex,
        "patient_birth_date": study.patient_birth_date and study.patient_birth_date.isoformat(),
        "accession_number": study.accession_number,
        "clinical_note": study.clinical_note,
        "images": [_image_data(image, context) for image in state.images],
    }


def _answer_data(answer: Answer) -> dict[str, Any]:
    return {
        "id": str(answer.job.image_id) if answer.job else None,
        "filename": answer.filename,
        "status": answer.job.status if answer.job else JobStatus.REFUSED,
        "error": vars(answer.error) if answer.error else None,
    }


def _image_data(image: StudyImage, context: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": str(image.job.image_id) if image.job else None,
        "filename": image.filename,
        "status": image.status,
        "error": {"code": image.error_code, "message": image.error_message} if image.error_code else None,
    }
    if image.result:
        data["result"] = ResultSerializer(image.result, context=context).data
    return data
