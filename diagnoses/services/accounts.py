"""Accounts, as the command line makes them."""

import secrets
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import transaction

from diagnoses import audit
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role

_PASSWORD_BYTES = 12


@dataclass(frozen=True)
class NewAccount:
    """An account just made. The password is shown once and kept nowhere."""

    name: str
    password: str


@transaction.atomic
def create_first_users() -> list[NewAccount]:
    """A clinician and an administrator with random passwords; nothing where there are users already."""
    if User.objects.exists():
        return []
    return [_create(Role.CLINICIAN), _create(Role.ADMINISTRATOR)]


def _create(role: Role) -> NewAccount:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    user = User.objects.create_user(role.value, password=password, is_staff=role is Role.ADMINISTRATOR)
    user.groups.add(Group.objects.get(name=role.value))
    audit.record(AuditAction.ROW_ADDED, audit.Actor(None, "first_users"), user, role=role.value)
    return NewAccount(role.value, password)
