"""Seeing studies is a right of its own: whoever may send has it, but for administrators, who send and see none.

They keep the record of what was sent, which names no patient. Emergency access is for clinicians and administrators,
and auditors and administrators are told of each.
"""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_ADMINISTRATOR = "administrator"
_RIGHTS = [
    ("clinician", "emergencyaccess", "break_glass", "Can take emergency access to a patient"),
    (_ADMINISTRATOR, "emergencyaccess", "break_glass", "Can take emergency access to a patient"),
    (_ADMINISTRATOR, "emergencyaccess", "view_emergencyaccess", "Can view emergency access"),
    ("auditor", "emergencyaccess", "view_emergencyaccess", "Can view emergency access"),
    *(
        (_ADMINISTRATOR, "department", f"{verb}_department", f"Can {verb} department")
        for verb in ("add", "change", "view")
    ),
]


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    send = _permission(apps, "study", "add_study", "Can add study")
    see = _permission(apps, "study", "see_studies", "Can see own studies, and the department's")
    for group in apps.get_model("auth", "Group").objects.filter(permissions=send):
        group.permissions.remove(send) if group.name == _ADMINISTRATOR else group.permissions.add(see)
    for user in apps.get_model("auth", "User").objects.filter(user_permissions=send):
        user.user_permissions.add(see)
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.add(_permission(apps, model, codename, name))


def take(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.remove(_permission(apps, model, codename, name))
    _permission(apps, "study", "see_studies", "").delete()
    _group(apps, _ADMINISTRATOR).permissions.add(_permission(apps, "study", "add_study", "Can add study"))


def _group(apps: Apps, role: str) -> Any:
    return apps.get_model("auth", "Group").objects.get_or_create(name=role)[0]


def _permission(apps: Apps, model: str, codename: str, name: str) -> Any:
    """The permission row, made now where it is not there yet: Django makes its own only after all migrations."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="diagnoses", model=model
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0044_emergency_access"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(give, take)]
