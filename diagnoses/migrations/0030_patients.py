"""Patients by pseudonym, each with a key of their own to be; studies lead to them."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0029_security_on_record"),
    ]

    operations = [
        migrations.CreateModel(
            name="Patient",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "index",
                    models.BinaryField(
                        help_text="Stands for the patient ID, where there is one.", null=True, unique=True
                    ),
                ),
                (
                    "sealed_key",
                    models.BinaryField(help_text="The patient's own key, sealed with one of the site's.", null=True),
                ),
                (
                    "key_version",
                    models.PositiveSmallIntegerField(help_text="Of the site's key that seals it.", null=True),
                ),
                ("erased_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="study",
            name="subject",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="studies",
                to="diagnoses.patient",
            ),
        ),
    ]
