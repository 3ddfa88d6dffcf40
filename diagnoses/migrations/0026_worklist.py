"""The worklist is put on record, as who changes what is urgent; studies are found by their time, whoever sent them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0025_reading_room_rights"),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # of a large site's table
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
                    ("worklist_viewed", "Worklist viewed"),
                    ("urgency_changed", "Urgency changed"),
                    ("history_viewed", "History viewed"),
                    ("history_exported", "History exported"),
                    ("result_recorded", "Reading ended"),
                    ("job_retried", "Job retried"),
                    ("refusal_overridden", "Refusal overridden"),
                    ("reading_requested", "Reading with another model requested"),
                    ("reading_signed", "Reading signed by a clinician"),
                    ("answer_uncovered", "Hidden answer shown"),
                    ("report_viewed", "Report viewed"),
                    ("export_requested", "Export requested"),
                    ("export_cancelled", "Export cancelled"),
                    ("export_fetched", "Export fetched"),
                    ("figures_viewed", "Figures of the site viewed"),
                    ("ai_paused", "AI paused"),
                    ("ai_resumed", "AI went on"),
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
        migrations.AddIndex(
            model_name="study",
            index=models.Index(fields=["-created_at", "-id"], name="study_latest"),
        ),
    ]
