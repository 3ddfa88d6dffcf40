"""Overrides, readings with another model, and each change of what reads are put on record."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0009_worker_models")]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="action",
            field=models.CharField(
                choices=[
                    ("sign_in", "Signed in"),
                    ("sign_in_failed", "Sign-in failed"),
                    ("sign_out", "Signed out"),
                    ("study_submitted", "Study submitted"),
                    ("upload_refused", "Upload refused"),
                    ("study_viewed", "Study viewed"),
                    ("picture_viewed", "Picture viewed"),
                    ("heatmap_viewed", "Heatmap viewed"),
                    ("history_viewed", "History viewed"),
                    ("history_exported", "History exported"),
                    ("result_recorded", "Reading ended"),
                    ("job_retried", "Job retried"),
                    ("refusal_overridden", "Refusal overridden"),
                    ("reading_requested", "Reading with another model requested"),
                    ("model_promoted", "Model made the default"),
                    ("model_rolled_back", "Model rolled back"),
                    ("model_succeeded", "Model took over"),
                    ("shadow_started", "Shadow started"),
                    ("shadow_stopped", "Shadow stopped"),
                    ("token_created", "API token created"),
                    ("row_added", "Added in the admin"),
                    ("row_changed", "Changed in the admin"),
                    ("row_deleted", "Deleted in the admin"),
                ],
                max_length=24,
            ),
        ),
    ]
