"""Radiologists see every study of the site; who reads may sign, and administrators may pause the AI."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_RADIOLOGIST = "radiologist"
_RIGHTS = [
    ("clinician", "reading", "sign_reading", "Can sign readings"),
    (_RADIOLOGIST, "reading", "sign_reading", "Can sign readings"),
    (_RADIOLOGIST, "study", "add_study", "Can add study"),
    (_RADIOLOGIST, "study", "view_study", "Can view study"),
    (_RADIOLOGIST, "study", "see_every_study", "Can see every study of the site"),
    (_RADIOLOGIST, "study", "see_site_figures", "Can see the figures of the whole site"),
    (_RADIOLOGIST, "job", "override_refusal", "Can have an image read that the gate refused"),
    ("administrator", "study", "see_site_figures", "Can see the figures of the whole site"),
    ("administrator", "pausechange", "pause_ai", "Can pause the AI"),
    ("administrator", "pausechange", "view_pausechange", "Can view pause change"),
    ("auditor", "study", "see_site_figures", "Can see the figures of the whole site"),
]


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.add(_permission(apps, model, codename, name))


def take(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, model, codename, name in _RIGHTS:
        _group(apps, role).permissions.remove(_permission(apps, model, codename, name))
    _group(apps, _RADIOLOGIST).delete()


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
    dependencies = [("diagnoses", "0024_exports")]

    operations = [migrations.RunPython(give, take)]
