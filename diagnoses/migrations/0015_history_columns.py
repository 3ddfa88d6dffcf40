"""A job carries its owner, its answer and its words, so that a history is searched without a look at any other table.

The database copies them from where they stand. So no writer can leave them out, nor can a worker or web server of the
version before that goes on beside this one.
"""

from django.db import migrations, models

# What stands between two texts is in no file's name, so that nothing is found across their border.
_WORDS = "upper(concat_ws(E'\\x1f', image.filename, study.patient_id, study.accession_number, study.clinical_note))"

# In one go: a row that is changed twice in a transaction has its foreign keys looked at again when that ends, and till
# then the table cannot be altered.
_FILL = f"""
UPDATE diagnoses_job job
SET owner_id = filled.owner_id, words = filled.words, label = filled.label, indeterminate = filled.indeterminate
FROM (
    SELECT read.id, study.submitted_by_id AS owner_id, {_WORDS} AS words, coalesce(result.label, '') AS label,
        coalesce(result.indeterminate_reason, '') <> '' AS indeterminate
    FROM diagnoses_job read JOIN diagnoses_image image ON image.id = read.image_id
    JOIN diagnoses_study study ON study.id = image.study_id LEFT JOIN diagnoses_result result ON result.job_id = read.id
) filled
WHERE filled.id = job.id
"""

_COPY = f"""
CREATE FUNCTION diagnoses_copy_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT study.submitted_by_id, {_WORDS}
    INTO NEW.owner_id, NEW.words
    FROM diagnoses_image image JOIN diagnoses_study study ON study.id = image.study_id WHERE image.id = NEW.image_id;
    RETURN NEW;
END $$;
CREATE TRIGGER copy_study BEFORE INSERT OR UPDATE OF image_id, owner_id, words ON diagnoses_job
    FOR EACH ROW EXECUTE FUNCTION diagnoses_copy_study();

CREATE FUNCTION diagnoses_copy_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE diagnoses_job SET label = NEW.label, indeterminate = NEW.indeterminate_reason <> '' WHERE id = NEW.job_id;
    RETURN NULL;
END $$;
CREATE TRIGGER copy_answer AFTER INSERT OR UPDATE OF label, indeterminate_reason ON diagnoses_result
    FOR EACH ROW EXECUTE FUNCTION diagnoses_copy_answer();
"""

_COPY_NO_MORE = """
DROP TRIGGER copy_study ON diagnoses_job;
DROP TRIGGER copy_answer ON diagnoses_result;
DROP FUNCTION diagnoses_copy_study();
DROP FUNCTION diagnoses_copy_answer();
"""


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0014_heatmap_column")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # all rows are filled at once
        migrations.AddField(
            model_name="job",
            name="owner_id",
            field=models.BigIntegerField(editable=False, help_text="Who sent its study.", null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="label",
            field=models.CharField(
                db_default="", editable=False, help_text="Its result's, once it has one.", max_length=9
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="indeterminate",
            field=models.BooleanField(db_default=False, editable=False, help_text="Its result's, once it has one."),
        ),
        migrations.AddField(
            model_name="job",
            name="words",
            field=models.TextField(db_default="", editable=False, help_text="All that is searched, in capitals."),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="job",
            name="owner_id",
            field=models.BigIntegerField(editable=False, help_text="Who sent its study."),
        ),
        migrations.RunSQL(_COPY, _COPY_NO_MORE),
    ]
