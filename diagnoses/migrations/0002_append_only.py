"""The database itself refuses to change or remove what is on record."""

from django.db import migrations

_TABLES = ("diagnoses_auditevent", "diagnoses_jobtransition")

_CREATE = """
CREATE FUNCTION diagnoses_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""
    for table in _TABLES
)

_DROP = (
    "".join(f"DROP TRIGGER refuse_truncate ON {table}; DROP TRIGGER refuse_row_change ON {table};" for table in _TABLES)
    + "DROP FUNCTION diagnoses_refuse_change();"
)


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0001_initial")]

    operations = [migrations.RunSQL(_CREATE, _DROP)]
