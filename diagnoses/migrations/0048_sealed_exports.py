"""Packed exports are sealed, each with a key of its own. Those that lie in clear go; their owners ask again."""

from typing import Any

from django.db import migrations, models


def remove_those_in_clear(apps: Any, schema_editor: Any) -> None:
    """Their rows alone: files that no row speaks of are swept by the scheduler."""
    apps.get_model("diagnoses", "Export").objects.exclude(stored_name="").delete()


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0047_failed_attempts_in_words")]

    operations = [
        migrations.AddField(
            "export", "file_key", models.BinaryField(help_text="The file's key, sealed under the site's.", null=True)
        ),
        migrations.AddField(
            "export",
            "key_version",
            models.PositiveSmallIntegerField(help_text="The site's key that seals it.", null=True),
        ),
        migrations.RunPython(remove_those_in_clear, migrations.RunPython.noop),
    ]
