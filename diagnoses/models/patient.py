"""Whom studies are of."""

import uuid
from functools import cached_property
from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext

from diagnoses import sealing


class Patient(models.Model):
    """One person, by a pseudonym: the record, the logs and the audit call a patient by `id` and by nothing else.

    What identifies the person lies sealed in the studies, under a key of the patient's own; without that key nobody
    reads it any more, wherever a copy of the rows is. A study sent without a patient ID has a patient of its own.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    index = models.BinaryField(null=True, unique=True, help_text="Stands for the patient ID, where there is one.")
    sealed_key = models.BinaryField(null=True, help_text="The patient's own key, sealed with one of the site's.")
    key_version = models.PositiveSmallIntegerField(null=True, help_text="Of the site's key that seals it.")
    erased_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return gettext("Patient {id}").format(id=self.pk)

    @classmethod
    def unsaved(cls, patient_id: str) -> Self:
        """A new patient with a key of their own."""
        patient = cls(index=sealing.patient_index(patient_id))
        patient.seal_key(sealing.new_key())
        return patient

    @cached_property
    def key(self) -> bytes:
        """The patient's own key, opened. Raises SealError, also where the patient was erased."""
        if self.sealed_key is None or self.key_version is None:
            raise sealing.SealError("The patient was erased: nothing opens any more.")
        return sealing.unseal_key(bytes(self.sealed_key), self.key_version, self._place)

    def seal_key(self, key: bytes) -> None:
        """Close the key under the site's newest one."""
        self.sealed_key, self.key_version = sealing.seal_key(key, self._place)

    @property
    def _place(self) -> str:
        return f"diagnoses_patient.sealed_key:{self.pk}"
