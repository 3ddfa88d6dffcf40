"""What became of each version of a model is on record, and the database refuses to change that."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

_CREATE = """
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_modelchange
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON diagnoses_modelchange
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""

_DROP = """
DROP TRIGGER refuse_truncate ON diagnoses_modelchange;
DROP TRIGGER refuse_row_change ON diagnoses_modelchange;
"""


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0005_known_cards")]

    operations = [
        migrations.CreateModel(
            name="ModelChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("promote", "Made the default"),
                            ("roll_back", "Rolled back to"),
                            ("succeed", "Took over from one that is no longer shipped"),
                            ("shadow_start", "Started as shadow"),
                            ("shadow_stop", "Stopped as shadow"),
                        ],
                        max_length=12,
                    ),
                ),
                ("by", models.CharField(help_text="The person, or the site itself.", max_length=150)),
                ("reason", models.TextField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="diagnoses.modelversion",
                    ),
                ),
                (
                    "replaced",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="diagnoses.modelversion",
                    ),
                ),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.RunSQL(_CREATE, _DROP),
    ]
