"""What each user has sent in the last minute and on the last day, so that there is a limit to both."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0045_rights_of_sight"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UploadCount",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("minute", models.DateTimeField(editable=False)),
                ("files", models.PositiveIntegerField(editable=False)),
                ("day", models.DateField(editable=False, help_text="In UTC.")),
                ("sent_bytes", models.PositiveBigIntegerField(editable=False)),
            ],
        ),
    ]
