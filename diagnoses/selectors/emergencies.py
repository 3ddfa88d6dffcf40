"""Emergency accesses: those that last, for every page of their user, and what was done under one."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from diagnoses.models import AuditEvent, EmergencyAccess, Study
from diagnoses.models.emergency import open_emergencies
from diagnoses.selectors.studies import visible_to


def emergencies(request: HttpRequest) -> dict[str, Any]:
    """For every template: the user's accesses that last, looked for only where a page speaks of them."""
    return {"emergencies": SimpleLazyObject(lambda: list(open_emergencies(request.user.pk or 0)))}


def studies_under(user: User, access: EmergencyAccess) -> QuerySet[Study]:
    """The studies of its patient, newest first, as far as the user may see them."""
    return visible_to(user).filter(subject=access.patient_id).order_by("-created_at", "-id")


def events_under(access: EmergencyAccess) -> QuerySet[AuditEvent]:
    """What its user did with the patient's studies, in order."""
    # By number: a user may be given another name, and the record keeps that of then.
    of_user = AuditEvent.objects.filter(patient=str(access.patient_id), actor_id=access.user_id)
    return of_user.filter(at__gte=access.granted_at, detail__emergency=str(access.pk)).order_by("id")
