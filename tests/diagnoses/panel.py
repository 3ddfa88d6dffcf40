"""Filling in the administrator's panel."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from diagnoses.roles import Role


def change_user(client: Client, user: User, **changes: Any) -> Any:
    """Save the panel's form of a user with some fields changed."""
    page = client.get(reverse("admin:auth_user_change", args=[user.pk])).context
    form = page["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    for inline in page["inline_admin_formsets"]:
        for part in (inline.formset.management_form, *inline.formset.forms):
            said = {part.add_prefix(name): part[name].value() for name in part.fields}
            data |= {name: str(value) for name, value in said.items() if value is not None}
    data = {name: value for name, value in (data | changes).items() if value not in (None, False)}
    return client.post(reverse("admin:auth_user_change", args=[user.pk]), data)


def role_id(role: Role) -> int:
    return Group.objects.get(name=role).pk
