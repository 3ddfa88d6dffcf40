"""The shapes of the API."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from diagnoses.models import Job, ModelVersion, Result, Study
from diagnoses.models.job import Indeterminacy, Label
from diagnoses.models.study import Sex
from diagnoses.selectors.cards import find_model_version
from diagnoses.selectors.studies import StudyImage, StudyState
from diagnoses.selectors.waiting import waiting_of
from diagnoses.services.submission import Answer, StudyDetails, Submission, check_birth_date
from diagnoses.states import JobStatus


class ModelField(serializers.CharField):
    """A model by its name, or a version of it as "name@version"; the value is the registered version."""

    default_error_messages = {"unknown": _("There is no such model here. GET /api/v1/models/ lists those there are.")}

    def to_internal_value(self, data: Any) -> ModelVersion:  # type: ignore[override]
        """Look the version up."""
        try:
            return find_model_version(super().to_internal_value(data))
        except ModelVersion.DoesNotExist:
            self.fail("unknown")


class StudyUploadSerializer(serializers.Serializer[Any]):
    """What is sent: files, and what is known of the patient."""

    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        required=False,
        default=list,
        help_text="PNG, JPEG or DICOM radiographs, or ZIP archives of them; the part may be repeated.",
    )
    patient_id = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    patient_sex = serializers.ChoiceField(
        choices=Sex.choices,
        required=False,
        allow_blank=True,
        default="",
        # Without what was given, as with all that is said of a patient: errors end up in logs.
        error_messages={"invalid_choice": _("Give F, M or O, or nothing.")},
    )
    patient_birth_date = serializers.DateField(
        required=False, allow_null=True, default=None, validators=[check_birth_date]
    )
    accession_number = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    clinical_note = serializers.CharField(required=False, allow_blank=True, max_length=4000, default="")
    urgent = serializers.BooleanField(required=False, default=False, help_text="Read before all that is not urgent.")
    model = ModelField(
        required=False,
        default=None,
        help_text="What reads the study: a model's name, or \"name@version\"; the site's default otherwise.",
    )

    def details(self) -> StudyDetails:
        """What was said of the study, checked."""
        said = {name: value for name, value in self.validated_data.items() if name not in ("files", "model")}
        return StudyDetails(**said)


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a file was not taken or not read, and what to do."""

    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Why there is no answer, in words."""

    detail = serializers.CharField()


class BandSerializer(serializers.Serializer[Any]):
    """Probabilities between which the product cannot say; low equals high where there is no such band."""

    low = serializers.FloatField()
    high = serializers.FloatField()


class OverrideSerializer(serializers.Serializer[Any]):
    """A refusal that a person overrode before the reading."""

    code = serializers.CharField()
    reason = serializers.CharField()
    by = serializers.CharField()


class OverrideRequestSerializer(serializers.Serializer[Any]):
    """Why an image is to be read that the gate refused."""

    reason = serializers.CharField(max_length=500)


class ReadingRequestSerializer(serializers.Serializer[Any]):
    """The model that is to read an image again."""

    model = ModelField(help_text='A model\'s name, or "name@version".')


class ResultSerializer(serializers.ModelSerializer[Result]):
    """What the model said of one image. `probability` is that of pneumonia, calibrated; `score` is in log-odds.

    `label` is always what the threshold says, also where `indeterminate` says that the product cannot tell.
    """

    model = serializers.CharField(source="job.model_version.name")
    model_version = serializers.CharField(source="job.model_version.version")
    label = serializers.ChoiceField(choices=Label.choices)  # type: ignore[assignment]
    indeterminate = serializers.BooleanField()
    indeterminate_reason = serializers.ChoiceField(choices=Indeterminacy.choices, allow_blank=True)
    warnings = serializers.SerializerMethodField()
    band = serializers.SerializerMethodField()
    override = serializers.SerializerMethodField()
    heatmap_url = serializers.SerializerMethodField()
    timings_ms = serializers.DictField(child=serializers.FloatField())

    class Meta:
        model = Result
        fields = (
            "label",
            "indeterminate",
            "indeterminate_reason",
            "probability",
            "score",
            "threshold",
            "band",
            "warnings",
            "override",
            "model",
            "model_version",
            "weights_sha256",
            "image_sha256",
            "engine",
            "heatmap_url",
            "timings_ms",
        )

    @extend_schema_field(ErrorSerializer(many=True))
    def get_warnings(self, result: Result) -> list[dict[str, str]]:
        """What to know beside the answer, and what to do."""
        pairs = zip(result.warnings, result.warning_words, strict=True)
        return [{"code": code, "message": words} for code, words in pairs]

    @extend_schema_field(BandSerializer)
    def get_band(self, result: Result) -> dict[str, float]:
        """The band that the model had when it read."""
        return {"low": result.band_low, "high": result.band_high}

    @extend_schema_field(OverrideSerializer(allow_null=True))
    def get_override(self, result: Result) -> dict[str, str] | None:
        """Who had it read although it was refused; null where nobody had to."""
        if not result.override_code:
            return None
        return {"code": result.override_code, "reason": result.override_reason, "by": result.override_by}

    @extend_schema_field(serializers.URLField())
    def get_heatmap_url(self, result: Result) -> str:
        """Where the coloured heatmap is; takes `?palette=jet`, `viridis` or `inferno`."""
        url = reverse("api_heatmap", args=[result.job_id])
        request = self.context.get("request")
        return request.build_absolute_uri(url) if request else url


_HIDDEN = (
    "Only where it is true: there is an answer, and it is left out. This user reads first, and gets it once they have "
    "signed their own reading of the image."
)


class ReadingSerializer(serializers.Serializer[Any]):
    """The reading of an image with one model."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    model = serializers.CharField()
    model_version = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    error = ErrorSerializer(allow_null=True)
    result = ResultSerializer(required=False)
    hidden = serializers.BooleanField(required=False, help_text=_HIDDEN)


class StudyImageSerializer(serializers.Serializer[Any]):
    """One file of a study. A file that was not taken in has no `id`, no readings, and the status `refused`.

    `status`, `error` and `result` are those of the latest reading; `readings` holds all of them, newest first.
    """

    id = serializers.UUIDField(allow_null=True)
    filename = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    error = ErrorSerializer(allow_null=True)
    result = ResultSerializer(required=False)
    hidden = serializers.BooleanField(required=False, help_text=_HIDDEN)
    readings = ReadingSerializer(many=True, required=False)


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version of a model as its card describes it. `figures` holds values with 95 % intervals."""

    default = serializers.BooleanField(source="is_live")
    band = serializers.SerializerMethodField()
    intended_use = serializers.CharField(source="card.intended_use")
    limits = serializers.ListField(source="card.limits", child=serializers.CharField())
    training = serializers.DictField(source="card.training")
    figures = serializers.DictField(source="card.figures")

    class Meta:
        model = ModelVersion
        fields = (
            "name",
            "version",
            "default",
            "standing",
            "available",
            "architecture",
            "threshold",
            "temperature",
            "band",
            "card_sha256",
            "weights_sha256",
            "preprocessing_version",
            "intended_use",
            "limits",
            "training",
            "figures",
        )

    @extend_schema_field(BandSerializer)
    def get_band(self, version: ModelVersion) -> dict[str, float]:
        """Where it cannot say."""
        return {"low": version.band_low, "high": version.band_high}


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study with its files."""

    patient_id = serializers.CharField(max_length=64, required=False, allow_blank=True)
    patient_birth_date = serializers.DateField(required=False, allow_null=True)
    accession_number = serializers.CharField(max_length=64, required=False, allow_blank=True)
    clinical_note = serializers.CharField(max_length=4000, required=False, allow_blank=True)
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
            "urgent",
            "images",
        )


class SearchSerializer(serializers.Serializer[Any]):
    """What to look for among studies. Of the two at least one is given."""

    search = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="Whole words.")
    patient_id = serializers.CharField(required=False, allow_blank=True, max_length=64)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Nothing is found by nothing."""
        said = {name: value for name, value in attrs.items() if value}
        if not said:
            raise serializers.ValidationError(_("Give words in search, or a whole patient_id, or both."))
        return said


class SealedSearchSerializer(serializers.Serializer[Any]):
    """The same, sealed."""

    find = serializers.CharField(help_text="For the parameter of that name of the list of studies.")


class QueueSerializer(serializers.Serializer[Any]):
    """What a study still waits for."""

    images_ahead = serializers.IntegerField(help_text="Images that are read before its first one.")
    eta_seconds = serializers.FloatField(
        allow_null=True, help_text="Until its last image is read, at the pace of late; null without one to measure by."
    )


class WaitingStudySerializer(StudySerializer):
    """A study with its files, and its place in the queue: null once all of it has been taken up."""

    queue = QueueSerializer(allow_null=True)

    class Meta(StudySerializer.Meta):
        fields = (*StudySerializer.Meta.fields, "queue")  # type: ignore[assignment]


class SubmissionSerializer(serializers.Serializer[Any]):
    """The answer to a sent study: one entry per file, in the order sent. No `id` where no file was usable."""

    id = serializers.UUIDField(allow_null=True)
    images = StudyImageSerializer(many=True)
    detail = serializers.CharField(required=False)


def result_serializer(request: Request | None = None) -> ResultSerializer:
    """For all results of one answer, since making its fields costs more than all else. Its links need the request."""
    return ResultSerializer(context={"request": request})


def submission_data(submission: Submission) -> dict[str, Any]:
    """A submission in the shape of `SubmissionSerializer`."""
    return {
        "id": str(submission.study.pk) if submission.study else None,
        "images": [_answer_data(answer) for answer in submission.answers],
    }


def waiting_study_data(state: StudyState, results: ResultSerializer) -> dict[str, Any]:
    """A study in the shape of `WaitingStudySerializer`."""
    waiting = waiting_of(state)
    place = {"images_ahead": waiting.ahead, "eta_seconds": waiting.seconds} if waiting else None
    return study_data(state, results) | {"queue": place}


def study_data(state: StudyState, results: ResultSerializer) -> dict[str, Any]:
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
        "urgent": study.urgent,
        "images": [image_data(image, results) for image in state.images],
    }


def _answer_data(answer: Answer) -> dict[str, Any]:
    return {
        "id": str(answer.job.image_id) if answer.job else None,
        "filename": answer.filename,
        "status": answer.job.status if answer.job else JobStatus.REFUSED,
        "error": _error_data(answer.error.code, answer.error.words) if answer.error else None,
    }


def image_data(image: StudyImage, results: ResultSerializer) -> dict[str, Any]:
    """An image in the shape of `StudyImageSerializer`, with all of its readings."""
    data: dict[str, Any] = {
        "id": str(image.job.image_id) if image.job else None,
        "filename": image.filename,
        "status": image.status,
        "error": _error_data(image.error_code, image.error_message),
        "readings": [reading_data(job, results) for job in image.jobs],
    }
    if image.is_hidden:
        data["hidden"] = True
    if image.result:
        data["result"] = data["readings"][0]["result"]
    return data


def reading_data(job: Job, results: ResultSerializer) -> dict[str, Any]:
    """A reading in the shape of `ReadingSerializer`."""
    data: dict[str, Any] = {
        "id": str(job.pk),
        "created_at": job.created_at.isoformat(),
        "model": job.model_version.name,
        "model_version": job.model_version.version,
        "status": job.status,
        "error": _error_data(job.error_code, job.error_words),
    }
    if job.is_hidden:
        data["hidden"] = True
    elif job.status == JobStatus.DONE:
        data["result"] = results.to_representation(job.result)
    return data


def _error_data(code: str, message: str) -> dict[str, str] | None:
    return {"code": code, "message": message} if code else None
