"""A worker has every shipped model. What each has loaded it reports anew within seconds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0008_uncertain_results")]

    operations = [
        migrations.RunSQL("DELETE FROM diagnoses_worker", migrations.RunSQL.noop),
        migrations.RemoveField(model_name="worker", name="model_version"),
        migrations.AddField(
            model_name="worker",
            name="model_versions",
            field=models.ManyToManyField(related_name="workers", to="diagnoses.modelversion"),
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop, "DELETE FROM diagnoses_worker_model_versions; DELETE FROM diagnoses_worker"
        ),
    ]
