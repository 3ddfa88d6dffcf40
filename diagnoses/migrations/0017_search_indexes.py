"""Words are found by any part of them, through their trigrams.

The extension ships with PostgreSQL and is trusted: the database's owner may create it.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations
from django.db.models.functions import Upper


def _part_of(field: str) -> OpClass:
    return OpClass(Upper(field), name="gin_trgm_ops")


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0016_history_indexes")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),  # of a large site's tables
        TrigramExtension(),
        migrations.AddIndex(model_name="image", index=GinIndex(_part_of("filename"), name="image_words")),
        migrations.AddIndex(
            model_name="study",
            index=GinIndex(
                _part_of("patient_id"), _part_of("accession_number"), _part_of("clinical_note"), name="study_words"
            ),
        ),
    ]
