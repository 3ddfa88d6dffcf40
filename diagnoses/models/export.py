"""Exports: cases packed into one file, built by a worker."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class ExportStatus(models.TextChoices):
    """Where an export stands."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being packed")
    DONE = "done", _("Ready")
    FAILED = "failed", _("Failed")


class Export(models.Model):
    """What a user wants packed. The token proves to the worker that packs it that it still is the one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="exports")
    query = models.CharField(max_length=1000, blank=True, help_text="The history's filter, as its address has it.")
    status = models.CharField(max_length=7, choices=ExportStatus, default=ExportStatus.QUEUED)
    total = models.PositiveIntegerField(default=0, help_text="Cases to pack.")
    packed = models.PositiveIntegerField(default=0)
    stored_name = models.CharField(max_length=128, blank=True)
    byte_size = models.PositiveBigIntegerField(default=0)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    token = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], name="export_queue", condition=models.Q(status__in=["queued", "running"])
            )
        ]

    def __str__(self) -> str:
        return f"Export {self.pk}"
