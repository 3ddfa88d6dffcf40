"""Filling in the administrator's panel."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.roles import Role


def change_user(client: Client, user: User, **changes: Any) -> Any:
    """Save the panel's form of a user with some fields changed."""
    form = client.get(reverse("admin:auth_user_change", args=[user.pk])).context["adminform"].form
    data = {name: form[name].value() for name in form.fields if name not in ("password", "last_login", "date_joined")}
    joined = timezone.localtime(user.date_joined)
    data |= {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    data = {name: value for name, value in (data | changes).items() if value not in (None, False)}
    return client.post(reverse("admin:auth_user_change", args=[user.pk]), data)


def role_id(role: Role) -> int:
    return Group.objects.get(name=role).pk
