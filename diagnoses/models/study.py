"""What was sent in."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diagnoses.language import in_words
from diagnoses.models.department import Department
from diagnoses.models.patient import Patient


def _part_of(field: str) -> OpClass:
    """For an index that finds text by any part of it, as `icontains` asks."""
    return OpClass(Upper(field), name="gin_trgm_ops")


class Sex(models.TextChoices):
    """Patient's sex in the terms of DICOM (0010,0040)."""

    FEMALE = "F", _("Female")
    MALE = "M", _("Male")
    OTHER = "O", _("Other")


class Study(models.Model):
    """What was sent in for one patient at one time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="studies")
    department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        help_text="Its sender's at that time, whose members see it.",
    )
    subject = models.ForeignKey(Patient, models.PROTECT, related_name="studies", null=True, editable=False)
    patient_id = models.CharField("patient ID", max_length=64, blank=True)
    patient_sex = models.CharField("sex", max_length=1, choices=Sex, blank=True)
    patient_birth_date = models.DateField("birth date", null=True, blank=True)
    accession_number = models.CharField(max_length=64, blank=True)
    clinical_note = models.TextField(max_length=4000, blank=True)
    idempotency_key = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        editable=False,
        help_text="Its sender's own, so that sending it again adds nothing.",
    )
    idempotency_fingerprint = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    urgent = models.BooleanField(default=False, db_default=False, help_text="Its sender wants it read before others.")
    batch = models.UUIDField(null=True, blank=True, editable=False, help_text="What was sent in one go has the same.")

    class Meta:
        verbose_name_plural = "studies"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["submitted_by", "-created_at", "-id"], name="study_history"),
            models.Index(fields=["-created_at", "-id"], name="study_latest"),
            models.Index(fields=["department", "-created_at", "-id"], name="study_of_department"),
            models.Index("submitted_by", models.F("department").asc(nulls_first=True), name="study_of_sender_there"),
            models.Index(fields=["submitted_by", "patient_id"], name="study_of_patient"),
            models.Index(fields=["batch"], name="study_of_batch", condition=~models.Q(batch=None)),
            GinIndex(
                _part_of("patient_id"), _part_of("accession_number"), _part_of("clinical_note"), name="study_words"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["submitted_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="study_idempotency_key_unique",
            )
        ]
        permissions = [
            ("see_studies", "Can see own studies, and the department's"),
            ("see_every_study", "Can see every study of the site"),
            ("see_site_figures", "Can see the figures of the whole site"),
        ]

    def __str__(self) -> str:
        return gettext("Study {id}").format(id=self.pk)


class Image(models.Model):
    """One picture of a study, with the bytes kept as they came."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="images")
    position = models.PositiveSmallIntegerField(help_text="Place among the files that were sent together.")
    filename = models.CharField(max_length=255, help_text="As the sender calls it; never used to store it.")
    kind = models.CharField(max_length=8)
    byte_size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField(help_text="Pixels.")
    height = models.PositiveIntegerField(help_text="Pixels.")
    stored_name = models.CharField(max_length=128, unique=True)
    upload_key = models.UUIDField(null=True, blank=True, editable=False, help_text="Its sender's own for this file.")

    class Meta:
        ordering = ["study", "position"]
        indexes = [
            GinIndex(_part_of("filename"), name="image_words"),
            models.Index(fields=["sha256"], name="image_content"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="image_position_unique"),
            models.UniqueConstraint(fields=["study", "upload_key"], name="image_upload_unique"),
        ]

    def __str__(self) -> str:
        return gettext("Image {id}").format(id=self.pk)


class RejectedFile(models.Model):
    """A file of a study that was not taken in, with the reason that its sender got."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="rejected_files")
    position = models.PositiveSmallIntegerField()
    filename = models.CharField(max_length=255)
    code = models.CharField(max_length=32)
    message = models.TextField(help_text="In English.")
    said = models.JSONField(default=dict, db_default={}, blank=True, help_text="The message's template and facts.")
    upload_key = models.UUIDField(null=True, blank=True, editable=False, help_text="Its sender's own for this file.")

    class Meta:
        ordering = ["study", "position"]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="rejected_position_unique"),
            models.UniqueConstraint(fields=["study", "upload_key"], name="rejected_upload_unique"),
        ]

    def __str__(self) -> str:
        return gettext("Rejected file {id}").format(id=self.pk)

    @property
    def words(self) -> str:
        """The message in the reader's language."""
        return in_words(self.message, self.said)
