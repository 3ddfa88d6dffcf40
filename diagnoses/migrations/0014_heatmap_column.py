"""A heatmap lies in its result's row: written with it, or not at all. It is a hundred bytes.

Before, it was a file. Those that cannot be read any more are shown as missing, as before.
"""

import logging
from typing import Any

from django.apps.registry import Apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_log = logging.getLogger(__name__)


def into_rows(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    results: Any = apps.get_model("diagnoses", "Result").objects
    for pk, name in results.values_list("pk", "heatmap_name").iterator(chunk_size=500):
        try:
            with default_storage.open(name) as file:
                results.filter(pk=pk).update(heatmap=file.read())
        except OSError as error:
            _log.warning("The heatmap of job %s cannot be read: %s", pk, error)


def into_files(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    results: Any = apps.get_model("diagnoses", "Result").objects
    for pk, heatmap in results.values_list("pk", "heatmap").iterator(chunk_size=500):
        name = default_storage.save(f"heatmaps/{pk.hex[:2]}/{pk.hex}.png", ContentFile(bytes(heatmap)))
        results.filter(pk=pk).update(heatmap_name=name)


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0013_idempotency_keys")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # of a large site's tables
        migrations.AddField(
            "result", "heatmap", models.BinaryField(default=b"", help_text="A small grey PNG."), preserve_default=False
        ),
        migrations.AlterField("result", "heatmap_name", models.CharField(max_length=128, unique=True, null=True)),
        migrations.RunPython(into_rows, into_files),
        migrations.RemoveField("result", "heatmap_name"),
    ]
