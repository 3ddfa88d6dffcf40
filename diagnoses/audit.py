"""Putting on record who did and saw what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Model
from django.http import HttpRequest

from diagnoses.audit_subjects import NOBODY, Subject, subjects_of
from diagnoses.audit_terms import TERMS
from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.models.emergency import emergency_on

_REFUSALS = {
    AuditAction.SIGN_IN_FAILED: Outcome.MINOR_FAILURE,
    AuditAction.SIGN_IN_LOCKED: Outcome.SERIOUS_FAILURE,
    AuditAction.SECOND_FACTOR_FAILED: Outcome.MINOR_FAILURE,
    AuditAction.ACCESS_DENIED: Outcome.MINOR_FAILURE,
    AuditAction.REQUEST_FAILED: Outcome.SERIOUS_FAILURE,
    AuditAction.UPLOAD_REFUSED: Outcome.MINOR_FAILURE,
}
"""What speaks of a failure by its name. All else went well, unless its caller says otherwise."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where."""

    user: User | None
    name: str
    address: str = ""


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in user behind a request, or nobody."""
    address = request.META.get("REMOTE_ADDR") or ""
    return user_actor(request.user, address)


def user_actor(user: AbstractBaseUser | AnonymousUser, address: str = "") -> Actor:
    """A user, acting from a network address or from the machine itself (empty)."""
    if isinstance(user, User):
        return Actor(user, user.get_username(), address)
    return Actor(None, "", address)


@dataclass(frozen=True)
class AuditEntry:
    """One thing to put on record. What is no success by its action says so by its outcome."""

    action: AuditAction
    actor: Actor
    target: Model | None
    detail: dict[str, Any]
    outcome: Outcome | None = None


def record(
    action: AuditAction,
    actor: Actor,
    target: Model | None = None,
    *,
    outcome: Outcome | None = None,
    **detail: Any,
) -> None:
    """Add one event. It is written before what it speaks of is shown: where it cannot be, nothing is shown."""
    [event] = _events([AuditEntry(action, actor, target, detail, outcome)])
    event.save(force_insert=True)


def record_all(entries: Iterable[AuditEntry]) -> None:
    """Add several events at once."""
    AuditEvent.objects.bulk_create(_events(list(entries)))


def record_subject(action: AuditAction, actor: Actor, subject: Subject, **detail: Any) -> None:
    """Add an event about what is known by its name alone, since there may be no such row."""
    _event(AuditEntry(action, actor, None, detail), subject).save(force_insert=True)


def _events(entries: list[AuditEntry]) -> list[AuditEvent]:
    subjects = subjects_of([entry.target for entry in entries if entry.target])
    found = iter(subjects)
    return [_event(entry, next(found) if entry.target else NOBODY) for entry in entries]


def _event(entry: AuditEntry, subject: Subject) -> AuditEvent:
    actor = entry.actor
    kind, code = TERMS[entry.action]
    emergency = emergency_on(actor.user.pk, subject.patient) if actor.user and subject.patient else None
    return AuditEvent(
        action=entry.action,
        actor_id=actor.user.pk if actor.user else None,
        actor_name=actor.name,
        actor_roles=", ".join(_roles(actor.user)) if actor.user else "",
        address=actor.address,
        object_type=subject.object_type,
        object_id=subject.object_id,
        detail=entry.detail | ({"emergency": str(emergency)} if emergency else {}),
        event=kind,
        action_code=code,
        outcome=_REFUSALS.get(entry.action, Outcome.SUCCESS) if entry.outcome is None else entry.outcome,
        patient=subject.patient,
        study=subject.study,
        model_version=subject.model_version,
    )


def _roles(user: User) -> list[str]:
    roles = list(user.groups.order_by("name").values_list("name", flat=True))
    return [*roles, "superuser"] if user.is_superuser else roles
