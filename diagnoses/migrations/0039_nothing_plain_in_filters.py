"""What people looked for is sealed where it was kept, and a signed reading's text may be emptied, never changed.

The audit kept filters as addresses had them. What may name a patient is struck out there: the one time that the record
is changed, since it must not tell of patients.
"""

from typing import Any

from django.db import migrations, models
from django.http import QueryDict

from diagnoses.searching import FIND, TELLING, sealed_search, untold_query

_OFF = "ALTER TABLE diagnoses_auditevent DISABLE TRIGGER refuse_row_change"
_ON = "ALTER TABLE diagnoses_auditevent ENABLE TRIGGER refuse_row_change"
_MAY_BE_EMPTIED = """
DROP TRIGGER refuse_row_change ON diagnoses_reading;
CREATE TRIGGER refuse_row_change BEFORE UPDATE ON diagnoses_reading FOR EACH ROW
    WHEN (NOT (length(NEW.text) = 0 AND to_jsonb(NEW) - 'text' = to_jsonb(OLD) - 'text'))
    EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_row_removal BEFORE DELETE ON diagnoses_reading
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
"""
_AS_BEFORE = """
DROP TRIGGER refuse_row_removal ON diagnoses_reading;
DROP TRIGGER refuse_row_change ON diagnoses_reading;
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_reading
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
"""


def _seal(apps: Any, schema_editor: Any) -> None:
    for view in apps.get_model("diagnoses", "SavedView").objects.iterator():
        view.query = untold_query(view.user_id, view.query)
        view.save(update_fields=["query"])
    for export in apps.get_model("diagnoses", "Export").objects.iterator():
        export.query = untold_query(export.user_id, export.query)
        if telling := {name: export.wanted.pop(name) for name in TELLING if name in export.wanted}:
            export.wanted[FIND] = sealed_search(export.user_id, telling)
        export.save(update_fields=["query", "wanted"])


def _strike_out(apps: Any, schema_editor: Any) -> None:
    events = apps.get_model("diagnoses", "AuditEvent").objects.filter(detail__has_key="filter")
    for event in events.iterator():
        if isinstance(event.detail["filter"], str):
            said = QueryDict(event.detail["filter"]).dict()
            said |= {name: "yes" for name in TELLING if name in said}
            event.detail["filter"] = said
            event.save(update_fields=["detail"])


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0038_tables_written_anew")]

    operations = [
        migrations.RunPython(_seal, migrations.RunPython.noop),
        migrations.RunSQL(_OFF, migrations.RunSQL.noop),
        migrations.RunPython(_strike_out, migrations.RunPython.noop),
        migrations.RunSQL(_ON, migrations.RunSQL.noop),
        migrations.RunSQL(_MAY_BE_EMPTIED, _AS_BEFORE),
        migrations.AlterField("savedview", "query", models.CharField(blank=True, max_length=2000)),
    ]
