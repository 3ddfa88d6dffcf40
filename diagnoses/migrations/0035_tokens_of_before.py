"""The tokens of before, kept in clear and without an end, are gone; administrators revoke the new ones."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_RIGHTS = {"view_apitoken": "Can view API token", "revoke_apitoken": "Can revoke API tokens of others"}


def remove_what_was(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The table, and what Django keeps about it; its rights go with its content types."""
    schema_editor.execute("DROP TABLE IF EXISTS authtoken_token")
    schema_editor.execute("DELETE FROM django_migrations WHERE app = 'authtoken'")
    apps.get_model("contenttypes", "ContentType").objects.filter(app_label="authtoken").delete()


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _administrators(apps).permissions.add(*_permissions(apps))


def take(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _administrators(apps).permissions.remove(*_permissions(apps))


def _administrators(apps: Apps) -> Any:
    return apps.get_model("auth", "Group").objects.get_or_create(name="administrator")[0]


def _permissions(apps: Apps) -> list[Any]:
    """The rows, made now where they are not there yet: Django makes its own only after all migrations."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="diagnoses", model="apitoken"
    )
    permissions = apps.get_model("auth", "Permission").objects
    return [
        permissions.get_or_create(content_type=content_type, codename=codename, defaults={"name": name})[0]
        for codename, name in _RIGHTS.items()
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0034_api_tokens"),
        # Its log names content types, and has to be known here to forget those that go.
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.RunPython(remove_what_was, migrations.RunPython.noop),
        migrations.RunPython(give, take),
    ]
