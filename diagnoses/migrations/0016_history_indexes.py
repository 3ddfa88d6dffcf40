"""For each way to narrow the history an index that holds what is left in the order of its pages."""

from django.conf import settings
from django.db import migrations, models

_HISTORIES = {
    "job_of_owner": [],
    "job_of_owner_outcome": ["status", "label", "indeterminate"],
    "job_of_owner_version": ["model_version"],
    "job_of_owner_version_outcome": ["model_version", "status", "label", "indeterminate"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0015_history_columns"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # of a large site's tables
        # The columns were filled in no order. Readings of one time shall lie together, so that few pages hold them.
        migrations.RunSQL("CLUSTER diagnoses_job USING job_history", migrations.RunSQL.noop),
        *(
            migrations.AddIndex(
                model_name="job",
                index=models.Index(
                    fields=["owner_id", *narrowed_by, "-created_at", "-id"],
                    name=name,
                    condition=~models.Q(purpose="shadow"),
                ),
            )
            for name, narrowed_by in _HISTORIES.items()
        ),
        migrations.RemoveIndex(model_name="study", name="study_patient"),
        migrations.AddIndex(
            model_name="study", index=models.Index(fields=["submitted_by", "patient_id"], name="study_of_patient")
        ),
    ]
