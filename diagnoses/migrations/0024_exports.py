"""Cases packed into one file."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0023_notifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("query", models.TextField(blank=True, help_text="The history's filter, as its address has it.")),
                ("wanted", models.JSONField(default=dict, help_text="The same as it was understood.")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Being packed"),
                            ("done", "Ready"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=7,
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0, help_text="Studies to pack.")),
                ("packed", models.PositiveIntegerField(default=0)),
                (
                    "site_wide",
                    models.BooleanField(default=False, help_text="Packed with the right to every study of the site."),
                ),
                ("stored_name", models.CharField(blank=True, max_length=128)),
                ("byte_size", models.PositiveBigIntegerField(default=0)),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        choices=[
                            (
                                "too_large",
                                "The file would be too large. Narrow the filter in the history and export it in parts.",
                            ),
                            (
                                "nothing_left",
                                "No case matches the filter any more. Look at the history again.",
                            ),
                            (
                                "hidden_answers",
                                "You read first, so cases cannot be looked for by the answer: "
                                "that would tell it. Clear “Answer” and “Certainty”, or change your preferences.",
                            ),
                            (
                                "storage",
                                "Files could not be read or written. Try again later; if it lasts, tell your IT.",
                            ),
                            (
                                "worker_lost",
                                "The worker stopped several times over it. Tell your IT, or try again later.",
                            ),
                            ("switched_off", "The account is switched off."),
                            (
                                "internal_error",
                                "Packing failed on the server. Try again; if it lasts, tell your IT.",
                            ),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "token",
                    models.PositiveIntegerField(
                        default=0, help_text="Grows with each claim; only its last holder may finish."
                    ),
                ),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(default=0, help_text="Claims since its owner last asked for it."),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="export",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="exports", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(
                condition=models.Q(("status__in", ["queued", "running"])), fields=["created_at"], name="export_queue"
            ),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(fields=["stored_name"], name="export_file"),
        ),
    ]
