"""Exports: cases packed into one file, built by a worker."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from diagnoses import sealing
from diagnoses.models.department import Department


class ExportStatus(models.TextChoices):
    """Where an export stands."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being packed")
    DONE = "done", _("Ready")
    FAILED = "failed", _("Failed")


class ExportFault(models.TextChoices):
    """Why an export came to nothing, and what to do."""

    TOO_LARGE = "too_large", _("The file would be too large. Narrow the filter in the history and export it in parts.")
    NOTHING_LEFT = "nothing_left", _("No case matches the filter any more. Look at the history again.")
    HIDDEN_ANSWERS = (
        "hidden_answers",
        _(
            "You read first, so cases cannot be looked for by the answer: that would tell it. Clear “Answer” and "
            "“Certainty”, or change your preferences."
        ),
    )
    STORAGE = "storage", _("Files could not be read or written. Try again later; if it lasts, tell your IT.")
    WORKER_LOST = "worker_lost", _("The worker stopped several times over it. Tell your IT, or try again later.")
    SWITCHED_OFF = "switched_off", _("The account is switched off.")
    INTERNAL_ERROR = "internal_error", _("Packing failed on the server. Try again; if it lasts, tell your IT.")


class Export(models.Model):
    """What a user wants packed. The token proves to the worker that packs it that it still is the one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="exports")
    query = models.TextField(blank=True, help_text="The history's filter, as its address has it.")
    wanted = models.JSONField(default=dict, help_text="The same as it was understood.")
    status = models.CharField(max_length=7, choices=ExportStatus, default=ExportStatus.QUEUED)
    total = models.PositiveIntegerField(default=0, help_text="Studies to pack.")
    packed = models.PositiveIntegerField(default=0)
    oldest_study_at = models.DateTimeField(null=True, editable=False, help_text="When the oldest of these was sent.")
    site_wide = models.BooleanField(default=False, help_text="Packed with the right to every study of the site.")
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, help_text="Packed as one of its members."
    )
    stored_name = models.CharField(max_length=128, blank=True)
    file_key = models.BinaryField(null=True, help_text="The file's key, sealed under the site's.")
    key_version = models.PositiveSmallIntegerField(null=True, help_text="The site's key that seals it.")
    byte_size = models.PositiveBigIntegerField(default=0)
    error_code = models.CharField(max_length=16, choices=ExportFault, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    token = models.PositiveIntegerField(default=0, help_text="Grows with each claim; only its last holder may finish.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Claims since its owner last asked for it.")
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], name="export_queue", condition=models.Q(status__in=["queued", "running"])
            ),
            models.Index(fields=["stored_name"], name="export_file"),
        ]

    def __str__(self) -> str:
        return f"Export {self.pk}"

    @property
    def key(self) -> bytes:
        """Opens the file. Raises SealError."""
        if self.file_key is None or self.key_version is None:
            raise sealing.SealError("There is no key to this file.")
        return sealing.unseal_key(bytes(self.file_key), self.key_version, self._place)

    def seal_key(self, key: bytes) -> None:
        """Keep it, closed under the site's newest one."""
        self.file_key, self.key_version = sealing.seal_key(key, self._place)

    @property
    def _place(self) -> str:
        return f"diagnoses_export.file_key:{self.pk}"
