"""The versions that are known already get their card's hash, and a band without width: none was ever applied."""

import hashlib
import json

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def fill_in(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for version in apps.get_model("diagnoses", "ModelVersion").objects.all():
        canonical = json.dumps(version.card, sort_keys=True, separators=(",", ":"))
        version.card_sha256 = hashlib.sha256(canonical.encode()).hexdigest()
        version.band_low = version.band_high = version.threshold
        version.save()


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0004_model_standing")]

    operations = [
        migrations.RunPython(fill_in, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="modelversion",
            name="card_sha256",
            field=models.CharField(help_text="Of the card, as canonical JSON.", max_length=64, unique=True),
        ),
    ]
