"""Whom studies are of."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext


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
