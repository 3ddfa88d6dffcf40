"""What was sent in."""

import uuid
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diagnoses import sealing
from diagnoses.language import in_words
from diagnoses.models.department import Department
from diagnoses.models.patient import Patient
from diagnoses.models.sealed import SealedBytesField, SealedDateField, SealedRow, SealedTextField


class Sex(models.TextChoices):
    """Patient's sex in the terms of DICOM (0010,0040)."""

    FEMALE = "F", _("Female")
    MALE = "M", _("Male")
    OTHER = "O", _("Other")


class _Studies(models.Manager["Study"]):
    """Studies come with their patient, without whose key nothing that is sealed in them opens."""

    def get_queryset(self) -> "models.QuerySet[Study]":
        return super().get_queryset().select_related("subject")


class Study(SealedRow):
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
    subject = models.ForeignKey(Patient, models.PROTECT, related_name="studies", editable=False)
    patient_id = SealedTextField("patient ID", max_length=64, blank=True, default="")
    patient_sex = models.CharField("sex", max_length=1, choices=Sex, blank=True)
    patient_birth_date = SealedDateField("birth date", null=True, blank=True)
    accession_number = SealedTextField(max_length=64, blank=True, default="")
    clinical_note = SealedTextField(max_length=4000, blank=True, default="")
    idempotency_key = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        editable=False,
        help_text="What stands for its sender's own, so that sending it again adds nothing.",
    )
    idempotency_fingerprint = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    urgent = models.BooleanField(default=False, db_default=False, help_text="Its sender wants it read before others.")
    batch = models.UUIDField(null=True, blank=True, editable=False, help_text="What was sent in one go has the same.")

    objects = _Studies()

    class Meta:
        base_manager_name = "objects"
        verbose_name_plural = "studies"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["submitted_by", "-created_at", "-id"], name="study_history"),
            models.Index(fields=["-created_at", "-id"], name="study_latest"),
            models.Index(fields=["department", "-created_at", "-id"], name="study_of_department"),
            models.Index("submitted_by", models.F("department").asc(nulls_first=True), name="study_of_sender_there"),
            models.Index(fields=["subject", "-created_at"], name="study_of_subject"),
            models.Index(fields=["batch"], name="study_of_batch", condition=~models.Q(batch=None)),
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

    @property
    def is_erased(self) -> bool:
        """Whether nobody can tell any more whose it is."""
        return self.subject.erased_at is not None

    def patient_of_row(self) -> Patient:
        """Its subject."""
        return self.subject

    def key_of_row(self) -> str:
        """Its key."""
        return str(self.pk)


class WordsField(ArrayField):  # type: ignore[type-arg]
    """What stands for the words by which an image is found; made as its row is added, whoever adds it."""

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """Made anew for a new row."""
        if add:
            model_instance.words = model_instance.words_to_find()
        return model_instance.words


class Image(SealedRow):
    """One picture of a study, with the bytes kept as they came."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="images")
    position = models.PositiveSmallIntegerField(help_text="Place among the files that were sent together.")
    filename = SealedTextField(max_length=255, help_text="As the sender calls it; never used to store it.")
    kind = models.CharField(max_length=8)
    byte_size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField(help_text="Pixels.")
    height = models.PositiveIntegerField(help_text="Pixels.")
    stored_name = models.CharField(max_length=128, unique=True)
    file_key = SealedBytesField(null=True, editable=False, help_text="Opens its file, where that is sealed.")
    words = WordsField(
        models.BigIntegerField(),
        default=list,
        db_default=[],
        editable=False,
        help_text="Stand for all that is searched.",
    )
    upload_key = models.UUIDField(null=True, blank=True, editable=False, help_text="Its sender's own for this file.")

    class Meta:
        ordering = ["study", "position"]
        indexes = [
            GinIndex(fields=["words"], name="image_words"),
            models.Index(fields=["sha256"], name="image_content"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="image_position_unique"),
            models.UniqueConstraint(fields=["study", "upload_key"], name="image_upload_unique"),
        ]

    def __str__(self) -> str:
        return gettext("Image {id}").format(id=self.pk)

    def patient_of_row(self) -> Patient:
        """Its study's."""
        return self.study.subject

    def key_of_row(self) -> str:
        """Its key."""
        return str(self.pk)

    def words_to_find(self) -> list[int]:
        """What stands for the words of what was said of its study, and of its name."""
        study, name = self.study, self.filename
        said = study.patient_id, study.accession_number, study.clinical_note
        return sealing.words_of(*said, name, PurePath(name).stem)


class RejectedFile(SealedRow):
    """A file of a study that was not taken in, with the reason that its sender got."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="rejected_files")
    position = models.PositiveSmallIntegerField()
    filename = SealedTextField(max_length=255)
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

    def patient_of_row(self) -> Patient:
        """Its study's."""
        return self.study.subject

    def key_of_row(self) -> str:
        """Its place, known before its key is."""
        return f"{self.study_id} {self.position}"

    @property
    def words(self) -> str:
        """The message in the reader's language."""
        return in_words(self.message, self.said)
