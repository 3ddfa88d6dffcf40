"""Departments, whose members see what each of them sends; a job carries whose circle it is for, beside its owner."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

_HISTORIES = {
    "job_of_circle": [],
    "job_of_circle_outcome": ["status", "label", "indeterminate"],
    "job_of_circle_version": ["model_version"],
    "job_of_circle_v_outcome": ["model_version", "status", "label", "indeterminate"],
}

# By a trigger of its own, so that what copies owner and words can change without it.
_COPY = """
CREATE FUNCTION diagnoses_copy_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(study.department_id, -study.submitted_by_id) INTO NEW.circle
    FROM diagnoses_image image JOIN diagnoses_study study ON study.id = image.study_id WHERE image.id = NEW.image_id;
    RETURN NEW;
END $$;
CREATE TRIGGER copy_circle BEFORE INSERT OR UPDATE OF image_id, circle ON diagnoses_job
    FOR EACH ROW EXECUTE FUNCTION diagnoses_copy_circle();
"""

_COPY_NO_MORE = """
DROP TRIGGER copy_circle ON diagnoses_job;
DROP FUNCTION diagnoses_copy_circle();
"""


def _of_department(help_text: str, **options: Any) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(
        blank=True,
        help_text=help_text,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        to="diagnoses.department",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0042_audit_archives")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # of a large site's tables
        migrations.CreateModel(
            name="Department",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True)),
                (
                    "active",
                    models.BooleanField(
                        default=True, help_text="A closed one is kept for the record, and counts as none."
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AlterModelOptions(
            "study",
            {
                "base_manager_name": "objects",
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("see_studies", "Can see own studies, and the department's"),
                    ("see_every_study", "Can see every study of the site"),
                    ("see_site_figures", "Can see the figures of the whole site"),
                ],
                "verbose_name_plural": "studies",
            },
        ),
        migrations.AddField("profile", "department", _of_department("Its members see what each of them sends.")),
        migrations.AddField(
            "study", "department", _of_department("Its sender's at that time, whose members see it.", db_index=False)
        ),
        migrations.AddField("export", "department", _of_department("Packed as one of its members.")),
        migrations.AddIndex(
            "study", models.Index(fields=["department", "-created_at", "-id"], name="study_of_department")
        ),
        migrations.AddIndex(
            "study",
            models.Index("submitted_by", models.F("department").asc(nulls_first=True), name="study_of_sender_there"),
        ),
        migrations.AddField(
            "job",
            "circle",
            models.BigIntegerField(
                editable=False,
                help_text="Its study's department; below zero its sender, where that had none.",
                null=True,
            ),
        ),
        migrations.RunSQL("UPDATE diagnoses_job SET circle = -owner_id", migrations.RunSQL.noop),
        migrations.AlterField(
            "job",
            "circle",
            models.BigIntegerField(
                editable=False, help_text="Its study's department; below zero its sender, where that had none."
            ),
        ),
        migrations.RunSQL(_COPY, _COPY_NO_MORE),
        *(
            migrations.RemoveIndex("job", f"job_of_owner_{narrowed_by}")
            for narrowed_by in ("outcome", "version", "version_outcome")
        ),
        *(
            migrations.AddIndex(
                "job",
                models.Index(
                    fields=["circle", *narrowed_by, "-created_at", "-id"],
                    name=name,
                    condition=~models.Q(purpose="shadow"),
                ),
            )
            for name, narrowed_by in _HISTORIES.items()
        ),
    ]
