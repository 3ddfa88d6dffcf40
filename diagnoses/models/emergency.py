"""Emergency access: who broke the glass to see a patient that they may not see otherwise, and why."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext

from diagnoses.models.patient import Patient


class EmergencyAccess(models.Model):
    """One user's sight of one patient's studies for a while."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="emergencies")
    patient = models.ForeignKey(
        Patient, models.PROTECT, null=True, related_name="emergencies", help_text="Nobody: no patient has the ID given."
    )
    reason = models.TextField(max_length=500)
    granted_at = models.DateTimeField(db_default=Now(), editable=False)
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Where its user ended it before its time.")

    class Meta:
        verbose_name = "emergency access"
        verbose_name_plural = "emergency accesses"
        ordering = ["-granted_at"]
        indexes = [models.Index(fields=["user", "-granted_at"], name="emergency_of_user")]
        permissions = [("break_glass", "Can take emergency access to a patient")]

    def __str__(self) -> str:
        return gettext("Emergency access {id}").format(id=self.pk)


def open_emergencies(user_id: int) -> "models.QuerySet[EmergencyAccess]":
    """Those of a user that last, the latest first."""
    lasting = EmergencyAccess.objects.filter(user=user_id, ended_at=None, until__gt=Now(), patient__isnull=False)
    return lasting.order_by("-granted_at")


def emergency_on(user_id: int, patient: str) -> uuid.UUID | None:
    """The emergency access that the user has to the patient of this pseudonym now."""
    return open_emergencies(user_id).filter(patient=uuid.UUID(patient)).values_list("pk", flat=True).first()
