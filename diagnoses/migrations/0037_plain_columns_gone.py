"""Plain columns go, and with them every plain copy of what they held: a reading carries what stands for its words."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models

from diagnoses.models import sealed

_COPY = """
UPDATE diagnoses_job job SET words = image.words FROM diagnoses_image image WHERE image.id = job.image_id;
CREATE FUNCTION diagnoses_copy_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT study.submitted_by_id, image.words
    INTO NEW.owner_id, NEW.words
    FROM diagnoses_image image JOIN diagnoses_study study ON study.id = image.study_id WHERE image.id = NEW.image_id;
    RETURN NEW;
END $$;
CREATE TRIGGER copy_study BEFORE INSERT OR UPDATE OF image_id, owner_id, words ON diagnoses_job
    FOR EACH ROW EXECUTE FUNCTION diagnoses_copy_study();
"""
_COPY_NO_MORE = """
DROP TRIGGER copy_study ON diagnoses_job;
DROP FUNCTION diagnoses_copy_study();
"""


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0036_sealed_columns")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", "SET LOCAL statement_timeout = 0"),
        *(
            migrations.AlterField(model, "plain_filename", models.CharField(max_length=255, default=""))
            for model in ("image", "rejectedfile")
        ),
        *(
            migrations.RemoveField(model, f"plain_{column}")
            for model, column in (
                ("study", "patient_id"),
                ("study", "patient_birth_date"),
                ("study", "accession_number"),
                ("study", "clinical_note"),
                ("image", "filename"),
                ("rejectedfile", "filename"),
                ("reading", "text"),
            )
        ),
        migrations.RemoveField("job", "words"),
        migrations.AddField(
            "job",
            "words",
            ArrayField(models.BigIntegerField(), db_default=[], editable=False, help_text="Its image's.", size=None),
        ),
        migrations.RunSQL(_COPY, _COPY_NO_MORE),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            "study", "patient_id", sealed.SealedTextField("patient ID", blank=True, default="", max_length=64)
        ),
        migrations.AlterField(
            "study", "patient_birth_date", sealed.SealedDateField("birth date", blank=True, null=True)
        ),
        migrations.AlterField(
            "study", "accession_number", sealed.SealedTextField(blank=True, default="", max_length=64)
        ),
        migrations.AlterField(
            "study", "clinical_note", sealed.SealedTextField(blank=True, default="", max_length=4000)
        ),
        migrations.AlterField(
            "image",
            "filename",
            sealed.SealedTextField(help_text="As the sender calls it; never used to store it.", max_length=255),
        ),
        migrations.AlterField("rejectedfile", "filename", sealed.SealedTextField(max_length=255)),
        migrations.AlterField("reading", "text", sealed.SealedTextField(blank=True, default="", max_length=4000)),
        migrations.AlterField(
            "study",
            "subject",
            models.ForeignKey("diagnoses.patient", models.PROTECT, editable=False, related_name="studies"),
        ),
        migrations.AlterModelOptions(
            "study",
            {
                "base_manager_name": "objects",
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("see_every_study", "Can see every study of the site"),
                    ("see_site_figures", "Can see the figures of the whole site"),
                ],
                "verbose_name_plural": "studies",
            },
        ),
        migrations.AddIndex("study", models.Index(fields=["subject", "-created_at"], name="study_of_subject")),
        migrations.AddIndex("image", GinIndex(fields=["words"], name="image_words")),
    ]
