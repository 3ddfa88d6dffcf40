"""Why an image is read, and who had it read although the gate refused it. Shadow jobs come last in the queue."""

from django.db import migrations, models

import diagnoses.states


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0006_model_changes")]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("retry_job", "Can queue an ended job again"),
                    ("override_refusal", "Can have an image read that the gate refused"),
                ],
            },
        ),
        migrations.AddField(
            model_name="job",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("primary", "As it was sent"),
                    ("reread", "Read again at a person's wish"),
                    ("shadow", "Beside the default, for comparison alone"),
                ],
                default="primary",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="override_code",
            field=models.CharField(blank=True, help_text="The refusal that a person overrode.", max_length=32),
        ),
        migrations.AddField(model_name="job", name="override_reason", field=models.TextField(blank=True)),
        migrations.AddField(model_name="job", name="override_by", field=models.CharField(blank=True, max_length=150)),
        migrations.AddField(model_name="job", name="override_at", field=models.DateTimeField(blank=True, null=True)),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("override_at__isnull", True),
                        ("override_by", ""),
                        ("override_code", ""),
                        ("override_reason", ""),
                    ),
                    models.Q(
                        models.Q(("override_code", ""), _negated=True),
                        models.Q(("override_reason", ""), _negated=True),
                        models.Q(("override_by", ""), _negated=True),
                        ("override_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="job_override_has_its_reason",
            ),
        ),
        migrations.RemoveIndex(model_name="job", name="job_queue"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                models.ExpressionWrapper(models.Q(("purpose", "shadow")), models.BooleanField()),
                models.F("created_at"),
                models.F("id"),
                condition=models.Q(("status", diagnoses.states.JobStatus["QUEUED"])),
                name="job_queue",
            ),
        ),
    ]
