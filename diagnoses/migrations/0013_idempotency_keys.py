"""A sender's own key for a study, so that sending it again after a lost answer adds nothing."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0012_urgency_and_back_off"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="idempotency_key",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="Its sender's own, so that sending it again adds nothing.",
                max_length=255,
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="idempotency_fingerprint",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=64),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key", ""), _negated=True),
                fields=("submitted_by", "idempotency_key"),
                name="study_idempotency_key_unique",
            ),
        ),
    ]
