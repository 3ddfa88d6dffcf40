"""Why a job was tried again is kept where erasing a patient reaches it, and not in what only grows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: the table is not written anew."""

    dependencies = [("diagnoses", "0049_oldest_in_exports")]
    operations = [
        migrations.AddField(
            model_name="job",
            name="retry_reason",
            field=models.TextField(
                blank=True, db_default="", help_text="Why an administrator had it tried again the last time."
            ),
        )
    ]
