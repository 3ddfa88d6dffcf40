"""The plural of failed attempts; no table changes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0046_upload_counts")]

    operations = [
        migrations.AlterModelOptions(name="failedattempts", options={"verbose_name_plural": "failed attempts"}),
    ]
