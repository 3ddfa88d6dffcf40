"""The work of reading, and its outcome."""

import uuid

from django.db import models
from django.db.models.functions import Now

from diagnoses.models.registry import ModelVersion
from diagnoses.models.study import Image
from diagnoses.states import JobStatus

_STATUS_CHOICES = [(status.value, status.value) for status in JobStatus]


class Job(models.Model):
    """The reading of one image with one model version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, models.PROTECT, related_name="jobs")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="jobs")
    status = models.CharField(max_length=8, choices=_STATUS_CHOICES, default=JobStatus.QUEUED)
    token = models.PositiveIntegerField(default=0, help_text="Grows with each claim; only its last holder may finish.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Claims since a person last asked for it.")
    worker_name = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    rung_at = models.DateTimeField(db_default=Now(), help_text="When a worker was last told that this job waits.")
    lease_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=32, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["image", "model_version"], name="job_image_model_unique"),
            models.CheckConstraint(
                name="job_lease_while_running",
                condition=models.Q(status=JobStatus.RUNNING, lease_until__isnull=False)
                | (~models.Q(status=JobStatus.RUNNING) & models.Q(lease_until__isnull=True)),
            ),
        ]
        permissions = [("retry_job", "Can queue an ended job again")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="job_history"),
            models.Index(fields=["created_at", "id"], name="job_queue", condition=models.Q(status=JobStatus.QUEUED)),
            models.Index(fields=["lease_until"], name="job_leases", condition=models.Q(status=JobStatus.RUNNING)),
        ]

    def __str__(self) -> str:
        return f"Job {self.pk}"


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

    NORMAL = "NORMAL", "Normal"
    PNEUMONIA = "PNEUMONIA", "Pneumonia"


class Result(models.Model):
    """What the model said of one image, and where that came from."""

    job = models.OneToOneField(Job, models.PROTECT, primary_key=True, related_name="result")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    label = models.CharField(max_length=9, choices=Label)
    score = models.FloatField(help_text="Raw log-odds of pneumonia.")
    probability = models.FloatField(help_text="Calibrated probability of pneumonia, 0 to 1.")
    threshold = models.FloatField()
    temperature = models.FloatField()
    weights_sha256 = models.CharField(max_length=64)
    image_sha256 = models.CharField(max_length=64)
    preprocessing_version = models.CharField(max_length=32)
    engine = models.CharField(max_length=16)
    heatmap_name = models.CharField(max_length=128, unique=True)
    heatmap_peak = models.FloatField(help_text="Log-odds that the hottest cell adds to the score.")
    timings_ms = models.JSONField(help_text="Milliseconds spent in each step of the reading.")

    class Meta:
        indexes = [models.Index(fields=["label"], name="result_label")]
        constraints = [
            models.CheckConstraint(
                name="result_probability_range", condition=models.Q(probability__gte=0, probability__lte=1)
            )
        ]

    def __str__(self) -> str:
        return f"Result of job {self.job_id}"
