"""The three roles, as groups with what each may do."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_ROLES = {
    "clinician": ["diagnoses.study.add", "diagnoses.study.view"],
    "auditor": ["diagnoses.auditevent.view"],
    "administrator": [
        "auth.user.add",
        "auth.user.change",
        "auth.user.view",
        "auth.group.view",
        "diagnoses.study.add",
        "diagnoses.study.view",
        "diagnoses.job.retry",
        "diagnoses.job.view",
        "diagnoses.modelversion.view",
        "diagnoses.worker.view",
        "diagnoses.auditevent.view",
    ],
}


def add_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group_model = apps.get_model("auth", "Group")
    for role, permissions in _ROLES.items():
        group, _ = group_model.objects.get_or_create(name=role)
        group.permissions.set([_permission(apps, name) for name in permissions])


def remove_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.filter(name__in=_ROLES).delete()


def _permission(apps: Apps, name: str) -> Any:
    """The permission row, made now where it is not there yet: Django makes its own only after all migrations."""
    app, model, verb = name.split(".")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
    )
    return permission


class Migration(migrations.Migration):
    # This once depended on rest_framework.authtoken, whose rights administrators had; the product has tokens of its own
    # now (0034) and that application is gone. Where this has run it does not run again, and what it made of those
    # rights is removed by 0035; where it has not, nothing of them is made.
    dependencies = [
        ("diagnoses", "0002_append_only"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add_roles, remove_roles)]
