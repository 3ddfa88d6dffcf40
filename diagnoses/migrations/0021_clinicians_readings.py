"""What clinicians say of an image; the database refuses to change or remove it."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

_CREATE = """
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_reading
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON diagnoses_reading
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""

_DROP = """
DROP TRIGGER refuse_truncate ON diagnoses_reading;
DROP TRIGGER refuse_row_change ON diagnoses_reading;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "__first__"),
        ("diagnoses", "0020_profiles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("reader_name", models.CharField(max_length=150)),
                (
                    "part",
                    models.CharField(
                        choices=[("first", "First reader"), ("second", "Second reader"), ("arbiter", "Arbiter")],
                        default="first",
                        max_length=7,
                    ),
                ),
                (
                    "finding",
                    models.CharField(
                        choices=[
                            ("NORMAL", "Normal"),
                            ("PNEUMONIA", "Pneumonia"),
                            ("OTHER", "Another finding"),
                            ("CANNOT_TELL", "Cannot tell"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "agreement",
                    models.CharField(
                        blank=True,
                        choices=[("agree", "Agrees"), ("disagree", "Disagrees"), ("cannot_tell", "Cannot tell")],
                        help_text="Empty without an answer.",
                        max_length=11,
                    ),
                ),
                ("text", models.TextField(blank=True, max_length=4000)),
                ("answer_shown", models.BooleanField()),
                (
                    "signed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "ordering": ["-signed_at", "-id"],
                "permissions": [("sign_reading", "Can sign readings")],
            },
        ),
        migrations.AddField(
            model_name="reading",
            name="image",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="readings", to="diagnoses.image"
            ),
        ),
        migrations.AddField(
            model_name="reading",
            name="job",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="diagnoses.job"
            ),
        ),
        migrations.AddField(
            model_name="reading",
            name="reader",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="readings", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="reading",
            name="replaces",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="diagnoses.reading",
            ),
        ),
        migrations.AddIndex(
            model_name="reading",
            index=models.Index(fields=["reader", "-signed_at"], name="reading_of_reader"),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                condition=models.Q(("replaces", None)), fields=("image", "reader"), name="reading_of_reader_begins_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                condition=models.Q(("replaces", None)), fields=("image", "part"), name="reading_part_taken_once"
            ),
        ),
        migrations.RunSQL(_CREATE, _DROP),
    ]
