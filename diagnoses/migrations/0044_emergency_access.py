"""Emergency access to a patient's studies, on record and for a while."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0043_departments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EmergencyAccess",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("reason", models.TextField(max_length=500)),
                (
                    "granted_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("until", models.DateTimeField()),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="Where its user ended it before its time.", null=True),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        help_text="Nobody: no patient has the ID given.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emergencies",
                        to="diagnoses.patient",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emergencies",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "emergency access",
                "verbose_name_plural": "emergency accesses",
                "ordering": ["-granted_at"],
                "permissions": [("break_glass", "Can take emergency access to a patient")],
                "indexes": [models.Index(fields=["user", "-granted_at"], name="emergency_of_user")],
            },
        ),
        migrations.AlterField(
            "notification",
            "kind",
            models.CharField(
                choices=[
                    ("batch_done", "All that was sent is answered"),
                    ("urgent_pneumonia", "Urgent, and likely pneumonia"),
                    ("urgent_answered", "An urgent study waits for you"),
                    ("export_done", "An export is ready"),
                    ("export_failed", "Nothing was exported"),
                    ("glass_broken", "Emergency access was taken"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            "notification",
            "about",
            models.CharField(help_text="The study, batch, export or access that it is about.", max_length=64),
        ),
    ]
