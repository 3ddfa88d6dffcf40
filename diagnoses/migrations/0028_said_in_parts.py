"""What was said of a file or a job is kept in parts, too, to be said again in other languages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0027_reads_first_since"),
    ]

    operations = [
        migrations.AlterField("job", "error_message", models.TextField(blank=True, help_text="In English.")),
        migrations.AddField(
            "job",
            "error_said",
            models.JSONField(
                blank=True, db_default={}, default=dict, help_text="The error message's template and facts."
            ),
        ),
        migrations.AlterField("rejectedfile", "message", models.TextField(help_text="In English.")),
        migrations.AddField(
            "rejectedfile",
            "said",
            models.JSONField(blank=True, db_default={}, default=dict, help_text="The message's template and facts."),
        ),
    ]
