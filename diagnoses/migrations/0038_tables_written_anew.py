"""Tables are written anew: a dropped column's values stay in the rows of before until then."""

from django.db import migrations

_ORDER = {
    "diagnoses_study": "study_latest",
    "diagnoses_image": "diagnoses_image_pkey",
    "diagnoses_rejectedfile": "diagnoses_rejectedfile_pkey",
    "diagnoses_job": "job_history",
    "diagnoses_reading": "diagnoses_reading_pkey",
}


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0037_plain_columns_gone")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),
        *(
            migrations.RunSQL(f"CLUSTER {table} USING {index}", migrations.RunSQL.noop)
            for table, index in _ORDER.items()
        ),
    ]
