"""The audit is narrowed by address, too: without an index a rare one was looked for in every event there is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0050_retry_reason")]

    operations = [migrations.AddIndex("auditevent", models.Index(fields=["address", "-id"], name="audit_address"))]
