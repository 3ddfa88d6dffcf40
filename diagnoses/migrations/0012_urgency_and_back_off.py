"""Urgent studies go first in the queue, and a job that was lost waits a while before it is claimed again.

The columns have defaults in the database, so that a worker or web server of the version before goes on beside this one.
"""

from django.db import migrations, models
from django.db.models.functions import Now

import diagnoses.states


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0011_more_rights")]

    operations = [
        migrations.RemoveIndex(model_name="job", name="job_queue"),
        migrations.AddField(
            model_name="job",
            name="ready_at",
            field=models.DateTimeField(
                db_default=Now(), help_text="Not to be claimed before; a lost job waits a while."
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="urgent",
            field=models.BooleanField(
                default=False, db_default=False, help_text="As its study was when this job was made."
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="urgent",
            field=models.BooleanField(
                default=False, db_default=False, help_text="Its sender wants it read before others."
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                models.ExpressionWrapper(models.Q(purpose="shadow"), models.BooleanField()),
                models.OrderBy(models.F("urgent"), descending=True),
                models.OrderBy(models.F("created_at")),
                models.OrderBy(models.F("id")),
                condition=models.Q(status=diagnoses.states.JobStatus.QUEUED),
                name="job_queue",
            ),
        ),
    ]
