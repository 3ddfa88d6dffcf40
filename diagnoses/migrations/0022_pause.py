"""The AI can be paused, on record."""

import django.db.models.functions.datetime
from django.db import migrations, models

_CREATE = """
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_pausechange
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON diagnoses_pausechange
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""

_DROP = """
DROP TRIGGER refuse_truncate ON diagnoses_pausechange;
DROP TRIGGER refuse_row_change ON diagnoses_pausechange;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0021_clinicians_readings"),
    ]

    operations = [
        migrations.CreateModel(
            name="PauseChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("paused", models.BooleanField()),
                ("by", models.CharField(max_length=150)),
                ("reason", models.TextField()),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("pause_ai", "Can pause the AI")],
            },
        ),
        migrations.RunSQL(_CREATE, _DROP),
    ]
