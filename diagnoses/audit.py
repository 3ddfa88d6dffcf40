"""Putting on record who did and saw what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Model
from django.http import HttpRequest

from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from diagnoses.models.emergency import emergency_on


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
    """One thing to put on record."""

    action: AuditAction
    actor: Actor
    target: Model | None
    detail: dict[str, Any]


def record(action: AuditAction, actor: Actor, target: Model | None = None, **detail: Any) -> None:
    """Add one event. It is written before what it speaks of is shown: where it cannot be, nothing is shown."""
    _event(AuditEntry(action, actor, target, detail)).save(force_insert=True)


def record_all(entries: Iterable[AuditEntry]) -> None:
    """Add several events at once."""
    AuditEvent.objects.bulk_create(map(_event, entries))


def _event(entry: AuditEntry) -> AuditEvent:
    actor, target = entry.actor, entry.target
    emergency = emergency_on(actor.user.pk, target) if actor.user and target else None
    return AuditEvent(
        action=entry.action,
        actor_id=actor.user.pk if actor.user else None,
        actor_name=actor.name,
        actor_roles=", ".join(_roles(actor.user)) if actor.user else "",
        address=actor.address,
        object_type=target._meta.model_name or "" if target else "",
        object_id=str(target.pk) if target else "",
        detail=entry.detail | ({"emergency": str(emergency)} if emergency else {}),
    )


def _roles(user: User) -> list[str]:
    roles = list(user.groups.order_by("name").values_list("name", flat=True))
    return [*roles, "superuser"] if user.is_superuser else roles
