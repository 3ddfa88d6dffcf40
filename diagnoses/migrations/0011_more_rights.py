"""Clinicians may override a refusal of the gate; administrators choose what reads."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_RIGHTS = [
    ("clinician", "job", "override_refusal", "Can have an image read that the gate refused"),
    ("administrator", "modelversion", "promote_modelversion", "Can choose the model that reads, and the one beside it"),
    ("administrator", "modelchange", "view_modelchange", "Can view model change"),
]


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.add(_permission(apps, model, codename, name))


def take(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.remove(_permission(apps, model, codename, name))


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
    dependencies = [("diagnoses", "0010_more_on_record")]

    operations = [migrations.RunPython(give, take)]
