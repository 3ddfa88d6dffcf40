"""A result says how far it can be trusted. Those of before had no band: theirs has no width."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0007_job_purpose_and_override")]

    operations = [
        migrations.AddField(
            model_name="result",
            name="indeterminate_reason",
            field=models.CharField(
                blank=True,
                choices=[("band", "Too near the threshold"), ("unstable", "Not stable")],
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="result",
            name="warnings",
            field=models.JSONField(blank=True, default=list, help_text="Codes of what to know beside the answer."),
        ),
        migrations.AddField(
            model_name="result", name="band_low", field=models.FloatField(default=0), preserve_default=False
        ),
        migrations.AddField(
            model_name="result", name="band_high", field=models.FloatField(default=0), preserve_default=False
        ),
        migrations.AddField(
            model_name="result",
            name="override_code",
            field=models.CharField(blank=True, help_text="The refusal that a person overrode.", max_length=32),
        ),
        migrations.AddField(model_name="result", name="override_reason", field=models.TextField(blank=True)),
        migrations.AddField(
            model_name="result", name="override_by", field=models.CharField(blank=True, max_length=150)
        ),
        migrations.RunSQL(
            "UPDATE diagnoses_result SET band_low = threshold, band_high = threshold", migrations.RunSQL.noop
        ),
    ]
