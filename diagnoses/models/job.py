"""The work of reading, and its outcome."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diagnoses.language import in_words
from diagnoses.models.registry import ModelVersion
from diagnoses.models.study import Image
from diagnoses.states import JobStatus

_STATUS_CHOICES = [
    (JobStatus.QUEUED.value, _("queued")),
    (JobStatus.RUNNING.value, _("running")),
    (JobStatus.DONE.value, _("done")),
    (JobStatus.REFUSED.value, _("refused")),
    (JobStatus.FAILED.value, _("failed")),
]


class Purpose(models.TextChoices):
    """Why an image is read."""

    PRIMARY = "primary", _("As it was sent")
    REREAD = "reread", _("Read again at a person's wish")
    SHADOW = "shadow", _("Beside the default, for comparison alone")


BY_URGENCY = (
    ExpressionWrapper(models.Q(purpose=Purpose.SHADOW), models.BooleanField()),
    F("urgent").desc(),
    F("created_at").asc(),
    F("id").asc(),
)
"""The order of the queue: urgent ones first, then the oldest, and shadow jobs after all that somebody waits for."""


HISTORIES = {
    "job_of_circle": [],
    "job_of_circle_outcome": ["status", "label", "indeterminate"],
    "job_of_circle_version": ["model_version"],
    "job_of_circle_v_outcome": ["model_version", "status", "label", "indeterminate"],
}
"""By which columns each index of the history narrows; within them it runs from new to old."""


class Job(models.Model):
    """The reading of one image with one model version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, models.PROTECT, related_name="jobs")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="jobs")
    purpose = models.CharField(max_length=7, choices=Purpose, default=Purpose.PRIMARY)
    status = models.CharField(max_length=8, choices=_STATUS_CHOICES, default=JobStatus.QUEUED)
    token = models.PositiveIntegerField(default=0, help_text="Grows with each claim; only its last holder may finish.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Claims since a person last asked for it.")
    worker_name = models.CharField(max_length=128, blank=True)
    urgent = models.BooleanField(default=False, db_default=False, help_text="As its study was when this job was made.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ready_at = models.DateTimeField(db_default=Now(), help_text="Not to be claimed before; a lost job waits a while.")
    rung_at = models.DateTimeField(db_default=Now(), help_text="When a worker was last told that this job waits.")
    lease_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=32, blank=True)
    error_message = models.TextField(blank=True, help_text="In English.")
    error_said = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="The error message's template and facts."
    )
    override_code = models.CharField(max_length=32, blank=True, help_text="The refusal that a person overrode.")
    override_reason = models.TextField(blank=True)
    override_by = models.CharField(max_length=150, blank=True)
    override_at = models.DateTimeField(null=True, blank=True)
    retry_reason = models.TextField(
        blank=True, db_default="", help_text="Why an administrator had it tried again the last time."
    )
    # Copies that triggers keep, so that a history is filtered and searched without a look at any other table.
    owner_id = models.BigIntegerField(editable=False, help_text="Who sent its study.")
    circle = models.BigIntegerField(
        editable=False, help_text="Its study's department; below zero its sender, where that had none."
    )
    label = models.CharField(max_length=9, db_default="", editable=False, help_text="Its result's, once it has one.")
    indeterminate = models.BooleanField(db_default=False, editable=False, help_text="Its result's, once it has one.")
    words = ArrayField(models.BigIntegerField(), db_default=[], editable=False, help_text="Its image's.")

    is_hidden = False
    """Whether its answer is not to be shown to whom it was fetched for; `selectors.hiding` sets it."""

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["image", "model_version"], name="job_image_model_unique"),
            models.CheckConstraint(
                name="job_lease_while_running",
                condition=models.Q(status=JobStatus.RUNNING, lease_until__isnull=False)
                | (~models.Q(status=JobStatus.RUNNING) & models.Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="job_override_has_its_reason",
                condition=models.Q(override_code="", override_reason="", override_by="", override_at__isnull=True)
                | (
                    ~models.Q(override_code="")
                    & ~models.Q(override_reason="")
                    & ~models.Q(override_by="")
                    & models.Q(override_at__isnull=False)
                ),
            ),
        ]
        permissions = [
            ("retry_job", "Can queue an ended job again"),
            ("override_refusal", "Can have an image read that the gate refused"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="job_history"),
            models.Index(*BY_URGENCY, name="job_queue", condition=models.Q(status=JobStatus.QUEUED)),
            models.Index(fields=["lease_until"], name="job_leases", condition=models.Q(status=JobStatus.RUNNING)),
            models.Index(
                fields=["owner_id", "-created_at", "-id"],
                name="job_of_owner",
                condition=~models.Q(purpose=Purpose.SHADOW),
            ),
            *(
                models.Index(
                    fields=["circle", *narrowed_by, "-created_at", "-id"],
                    name=name,
                    condition=~models.Q(purpose=Purpose.SHADOW),
                )
                for name, narrowed_by in HISTORIES.items()
            ),
        ]

    def __str__(self) -> str:
        return gettext("Job {id}").format(id=self.pk)

    @property
    def error_words(self) -> str:
        """Why there will be no answer, in the reader's language; empty otherwise."""
        return in_words(self.error_message, self.error_said)


class JobTransition(models.Model):
    """One move of a job. Rows are only ever added."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="transitions")
    at = models.DateTimeField(db_default=Now())
    move = models.CharField(max_length=12)
    source = models.CharField(max_length=8)
    target = models.CharField(max_length=8)
    token = models.PositiveIntegerField()
    by = models.CharField(max_length=150, help_text="The worker, the scheduler or the person.")
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["job", "id"]

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


class Label(models.TextChoices):
    """What the threshold makes of the probability."""

    NORMAL = "NORMAL", _("Normal")
    PNEUMONIA = "PNEUMONIA", _("Pneumonia")


class Indeterminacy(models.TextChoices):
    """Why the product would rather not say."""

    BAND = "band", _("Too near the threshold")
    UNSTABLE = "unstable", _("Not stable")


class ReadingWarning(models.TextChoices):
    """What to know beside an answer. The gate's codes stand where a person overrode its refusal."""

    OTHER_PATIENT = "other_patient", _("The file says another patient")
    OUTSIDE_AGE = "outside_age", _("Outside the ages trained on")
    HEATMAP_AT_BORDER = "heatmap_at_border", _("Looked at the border")
    NOT_A_CHEST_XRAY = "not_a_chest_xray", _("No chest X-ray")
    NOT_FRONTAL = "not_frontal", _("No frontal view")
    INVERTED = "inverted", _("A negative")
    CROPPED_OR_ROTATED = "cropped_or_rotated", _("Cropped or turned")
    TOO_LOW_QUALITY = "too_low_quality", _("Low quality")


INDETERMINATE_WORDS: dict[str, str | Promise] = {
    Indeterminacy.BAND: _(
        "The probability lies in the range around the threshold where this model is often wrong. Decide by the patient "
        "and by your own reading of the picture, or ask a radiologist."
    ),
    Indeterminacy.UNSTABLE: _(
        "The answer turns when the picture is shifted a little or saved again, so it rests on too little. Send the "
        "picture again as the machine exported it, or ask a radiologist."
    ),
}
"""For each reason what it means to a clinician, and what to do."""

WARNING_WORDS: dict[str, str | Promise] = {
    ReadingWarning.OTHER_PATIENT: _(
        "The file itself says another patient: its ID, birth date or sex is not what was typed. Make sure whose "
        "picture this is before you use the answer, and send it again if it went to the wrong patient."
    ),
    ReadingWarning.OUTSIDE_AGE: _(
        "The patient's age is outside the ages that the model was trained on. Give the answer little weight."
    ),
    ReadingWarning.HEATMAP_AT_BORDER: _(
        "The model looked mainly at the border of the picture, where there is no lung. Look for markers, tubes or "
        "edges "
        "that may have misled it before you trust the answer."
    ),
    ReadingWarning.NOT_A_CHEST_XRAY: _(
        "The product takes this picture for no chest X-ray; it was read because a person asked for it. Make sure that "
        "it is the right picture."
    ),
    ReadingWarning.NOT_FRONTAL: _(
        "The product takes this picture for no frontal view; it was read because a person asked for it. The model "
        "knows frontal views alone, so give the answer little weight."
    ),
    ReadingWarning.INVERTED: _(
        "The product takes this picture for a negative; it was read because a person asked for it. Send it again with "
        "bone in white if you can."
    ),
    ReadingWarning.CROPPED_OR_ROTATED: _(
        "The product takes this picture for cropped or turned; it was read because a person asked for it. The model "
        "knows whole, upright chests alone, so give the answer little weight."
    ),
    ReadingWarning.TOO_LOW_QUALITY: _(
        "The product finds this picture too small, blurred or badly exposed; it was read because a person asked for "
        "it. Send a better one if you can."
    ),
}
"""For each warning what it means to a clinician, and what to do."""


class Result(models.Model):
    """What the model said of one image, and where that came from."""

    job = models.OneToOneField(Job, models.PROTECT, primary_key=True, related_name="result")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    label = models.CharField(max_length=9, choices=Label)
    score = models.FloatField(help_text="Raw log-odds of pneumonia.")
    probability = models.FloatField(help_text="Calibrated probability of pneumonia, 0 to 1.")
    indeterminate_reason = models.CharField(max_length=8, choices=Indeterminacy, blank=True)
    warnings = models.JSONField(default=list, blank=True, help_text="Codes of what to know beside the answer.")
    threshold = models.FloatField()
    band_low = models.FloatField()
    band_high = models.FloatField()
    temperature = models.FloatField()
    weights_sha256 = models.CharField(max_length=64)
    image_sha256 = models.CharField(max_length=64)
    preprocessing_version = models.CharField(max_length=32)
    engine = models.CharField(max_length=16)
    heatmap = models.BinaryField(help_text="A small grey PNG.")
    heatmap_peak = models.FloatField(help_text="Log-odds that the hottest cell adds to the score.")
    timings_ms = models.JSONField(help_text="Milliseconds spent in each step of the reading.")
    override_code = models.CharField(max_length=32, blank=True, help_text="The refusal that a person overrode.")
    override_reason = models.TextField(blank=True)
    override_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [models.Index(fields=["label"], name="result_label")]
        constraints = [
            models.CheckConstraint(
                name="result_probability_range", condition=models.Q(probability__gte=0, probability__lte=1)
            )
        ]

    def __str__(self) -> str:
        return gettext("Result of job {id}").format(id=self.job_id)

    @property
    def indeterminate(self) -> bool:
        """Whether the product cannot tell; the label is still what the threshold says."""
        return bool(self.indeterminate_reason)

    @property
    def indeterminate_words(self) -> str:
        """Why it cannot tell, and what to do; empty where it can."""
        return str(INDETERMINATE_WORDS[self.indeterminate_reason]) if self.indeterminate_reason else ""

    @property
    def warning_words(self) -> list[str]:
        """What to know beside the answer. A code that a newer worker wrote stands for itself."""
        return [str(WARNING_WORDS.get(code, code)) for code in self.warnings]
