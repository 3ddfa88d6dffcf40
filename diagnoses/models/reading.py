"""What clinicians say of an image, and whether the product may say anything at all."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diagnoses.models.job import Job
from diagnoses.models.patient import Patient
from diagnoses.models.sealed import SealedRow, SealedTextField
from diagnoses.models.study import Image


class Finding(models.TextChoices):
    """What a reader sees in a radiograph."""

    NORMAL = "NORMAL", _("Normal")
    PNEUMONIA = "PNEUMONIA", _("Pneumonia")
    OTHER = "OTHER", _("Another finding")
    CANNOT_TELL = "CANNOT_TELL", _("Cannot tell")


class Agreement(models.TextChoices):
    """How a reader's finding stands to the model's answer."""

    AGREE = "agree", _("Agrees")
    DISAGREE = "disagree", _("Disagrees")
    CANNOT_TELL = "cannot_tell", _("Cannot tell")


class Part(models.TextChoices):
    """In which part a reader reads an image."""

    FIRST = "first", _("First reader")
    SECOND = "second", _("Second reader")
    ARBITER = "arbiter", _("Arbiter")


class Reading(SealedRow):
    """A signed statement on one image. The database refuses to change or remove it: an edit is a new one.

    The reader is kept as text, too, as they were then. `job` is the model's reading that stood beside it, and
    `answer_shown` says whether the reader had seen that answer before.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, models.PROTECT, related_name="readings")
    job = models.ForeignKey(Job, models.PROTECT, related_name="+", null=True, blank=True)
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="readings")
    reader_name = models.CharField(max_length=150)
    part = models.CharField(max_length=7, choices=Part, default=Part.FIRST)
    finding = models.CharField(max_length=11, choices=Finding)
    agreement = models.CharField(max_length=11, choices=Agreement, blank=True, help_text="Empty without an answer.")
    text = SealedTextField(max_length=4000, blank=True, default="")
    answer_shown = models.BooleanField()
    signed_at = models.DateTimeField(db_default=Now(), editable=False)
    replaces = models.OneToOneField("self", models.PROTECT, related_name="replaced_by", null=True, blank=True)

    class Meta:
        ordering = ["-signed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["image", "reader"], condition=models.Q(replaces=None), name="reading_of_reader_begins_once"
            ),
            # One reader for each part; a site without second readers has the first alone.
            models.UniqueConstraint(
                fields=["image", "part"], condition=models.Q(replaces=None), name="reading_part_taken_once"
            ),
        ]
        indexes = [models.Index(fields=["reader", "-signed_at"], name="reading_of_reader")]
        permissions = [("sign_reading", "Can sign readings")]

    def __str__(self) -> str:
        return f"Reading {self.pk}"

    def patient_of_row(self) -> Patient:
        """Its image's."""
        return self.image.study.subject

    def key_of_row(self) -> str:
        """Its key."""
        return str(self.pk)


class PauseChange(models.Model):
    """The AI was paused, or went on. The database refuses to change or remove it; the last one counts."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    paused = models.BooleanField()
    by = models.CharField(max_length=150)
    reason = models.TextField()

    class Meta:
        ordering = ["-id"]
        permissions = [("pause_ai", "Can pause the AI")]

    def __str__(self) -> str:
        return gettext("Paused") if self.paused else gettext("Went on")
