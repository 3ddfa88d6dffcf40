"""Breaking the glass: sight of a patient whom one may not see otherwise, for a while, on record and told to others."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import EmergencyAccess, Notification
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.models.emergency import open_emergencies
from diagnoses.models.people import NoticeKind
from diagnoses.roles import MAY_WATCH_GLASS
from diagnoses.selectors.patients import find_patient
from diagnoses.services.notifying import who_holds

MOST_UNKNOWN = 5
"""IDs of nobody that a user may give in an hour."""


@transaction.atomic
def break_glass(*, actor: Actor, user: User, patient_id: str, reason: str) -> EmergencyAccess | None:
    """Give the user sight of the patient with exactly this ID; without a patient where nobody has it.

    None where they have given too many such IDs of late. Each of the three is on record, with the reason.
    """
    User.objects.select_for_update().get(pk=user.pk)  # of several requests at once, each is counted
    if _unknown_of_late(user) >= MOST_UNKNOWN:
        audit.record(
            AuditAction.GLASS_BROKEN, actor, user, outcome=Outcome.MINOR_FAILURE, found="limited", reason=reason
        )
        return None
    patient = find_patient(patient_id)
    until = Now() + timedelta(minutes=settings.CXR_BREAK_GLASS_MINUTES)
    access = EmergencyAccess.objects.create(user=user, patient=patient, reason=reason, until=until)
    access.refresh_from_db()
    if patient is None:
        audit.record(
            AuditAction.GLASS_BROKEN, actor, access, outcome=Outcome.MINOR_FAILURE, found="nobody", reason=reason
        )
        return access
    audit.record(
        AuditAction.GLASS_BROKEN, actor, access, reason=reason, patient=str(patient.pk), until=access.until.isoformat()
    )
    told = who_holds(MAY_WATCH_GLASS).exclude(pk=user.pk)
    Notification.objects.bulk_create(
        Notification(user=watcher, kind=NoticeKind.GLASS_BROKEN, about=str(access.pk)) for watcher in told
    )
    return access


@transaction.atomic
def mend_glass(*, actor: Actor, access: EmergencyAccess) -> None:
    """End an access before its time. One that is over stays as it is."""
    if open_emergencies(access.user_id).filter(pk=access.pk).update(ended_at=Now()):
        audit.record(AuditAction.GLASS_MENDED, actor, access)


def _unknown_of_late(user: User) -> int:
    since = Now() - timedelta(hours=1)
    return EmergencyAccess.objects.filter(user=user, patient=None, granted_at__gt=since).count()
