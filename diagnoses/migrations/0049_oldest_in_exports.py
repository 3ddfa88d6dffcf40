"""Exports know how old their oldest study is, so that purging takes along those that can hold what it purges."""

from typing import Any

from django.db import migrations, models


def guess_of_those_there(apps: Any, schema_editor: Any) -> None:
    """What was packed before may hold the oldest study there is."""
    oldest = apps.get_model("diagnoses", "Study").objects.aggregate(at=models.Min("created_at"))["at"]
    apps.get_model("diagnoses", "Export").objects.exclude(status="queued").update(oldest_study_at=oldest)


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0048_sealed_exports")]

    operations = [
        migrations.AddField(
            "export",
            "oldest_study_at",
            models.DateTimeField(editable=False, help_text="When the oldest of these was sent.", null=True),
        ),
        migrations.RunPython(guess_of_those_there, migrations.RunPython.noop),
    ]
