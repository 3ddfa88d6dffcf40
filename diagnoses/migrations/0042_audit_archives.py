"""Which months of the audit lie in files by now."""

import django.db.models.functions.datetime
from django.db import migrations, models

_REFUSE = """
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_auditarchive
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON diagnoses_auditarchive
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""
_ALLOW = """
DROP TRIGGER refuse_truncate ON diagnoses_auditarchive;
DROP TRIGGER refuse_row_change ON diagnoses_auditarchive;
"""


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0041_audit_chain")]

    operations = [
        migrations.CreateModel(
            name="AuditArchive",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(unique=True)),
                (
                    "archived_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("name", models.CharField(max_length=64)),
                ("events", models.PositiveBigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("last_hash", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=64)),
            ],
            options={"ordering": ["month"]},
        ),
        migrations.RunSQL(_REFUSE, _ALLOW),
    ]
