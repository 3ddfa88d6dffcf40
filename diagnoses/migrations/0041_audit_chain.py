"""Each event is hashed as it is written, and soon has a link in a chain of hashes."""

from django.db import migrations, models

# Every column as text, with its length before it. Times are microseconds since 1970: their text follows the session.
_FIELDS = """ARRAY[
        {row}.id::text, (extract(epoch FROM {row}.at) * 1000000)::bigint::text, {row}.action, {row}.actor_id::text,
        {row}.actor_name, {row}.actor_roles, {row}.address, {row}.object_type, {row}.object_id, {row}.detail::text,
        {row}.event, {row}.action_code, {row}.outcome::text, {row}.patient, {row}.study::text, {row}.model_version
    ]"""

_TABLES = """
CREATE TABLE diagnoses_auditlink (
    seq bigint NOT NULL PRIMARY KEY,
    event_id bigint NOT NULL,
    at timestamptz NOT NULL,
    digest bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE diagnoses_auditpending (event_id bigint NOT NULL, at timestamptz NOT NULL, digest bytea NOT NULL);
CREATE INDEX audit_pending ON diagnoses_auditpending (event_id);
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON diagnoses_auditlink
    FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON diagnoses_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION diagnoses_refuse_change();
"""

# A link can only be made once the one before it is committed. Made by the writers it would hold up each commit until
# the one before is on the disk; so they leave a digest, in the event's own transaction, and links are made apart.
_FUNCTIONS = f"""
CREATE FUNCTION diagnoses_audit_digest(fields text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(string_agg(COALESCE(octet_length(field) || ':' || field, '-'), '' ORDER BY place), 'UTF8'))
    FROM unnest(fields) WITH ORDINALITY AS f(field, place);
$$;

CREATE FUNCTION diagnoses_audit_append(event_id bigint, at timestamptz, digest bytea) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    next bigint := 1;
    moment bigint := (extract(epoch FROM at) * 1000000)::bigint;
    previous bytea := decode(repeat('00', 32), 'hex');
    last diagnoses_auditlink;
BEGIN
    SELECT * INTO last FROM diagnoses_auditlink ORDER BY seq DESC LIMIT 1;
    IF FOUND THEN
        next := last.seq + 1;
        previous := last.hash;
    END IF;
    INSERT INTO diagnoses_auditlink VALUES (
        next, event_id, at, digest,
        sha256(previous || convert_to(concat_ws(':', next, event_id, moment), 'UTF8') || digest)
    );
END $$;
REVOKE ALL ON FUNCTION diagnoses_audit_append(bigint, timestamptz, bytea) FROM PUBLIC;

CREATE FUNCTION diagnoses_audit_await() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO diagnoses_auditpending VALUES (
        NEW.id, NEW.at, diagnoses_audit_digest({_FIELDS.format(row="NEW")})
    );
    RETURN NULL;
END $$;

CREATE FUNCTION diagnoses_audit_seal(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    waiting diagnoses_auditpending;
    sealed integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('diagnoses_audit_seal', 0));
    FOR waiting IN SELECT * FROM diagnoses_auditpending ORDER BY event_id LIMIT most LOOP
        PERFORM diagnoses_audit_append(waiting.event_id, waiting.at, waiting.digest);
        DELETE FROM diagnoses_auditpending WHERE event_id = waiting.event_id AND digest = waiting.digest;
        sealed := sealed + 1;
    END LOOP;
    RETURN sealed;
END $$;
"""

_TRIGGERS = """
CREATE TRIGGER audit_await AFTER INSERT ON diagnoses_auditevent
    FOR EACH ROW EXECUTE FUNCTION diagnoses_audit_await();
"""

_EARLIER = f"""
SET LOCAL statement_timeout = 0;
DO $$
DECLARE e record;
BEGIN
    FOR e IN SELECT * FROM diagnoses_auditevent ORDER BY id LOOP
        PERFORM diagnoses_audit_append(e.id, e.at, diagnoses_audit_digest({_FIELDS.format(row="e")}));
    END LOOP;
END $$;
"""

_BACK = """
DROP TRIGGER audit_await ON diagnoses_auditevent;
DROP TABLE diagnoses_auditpending;
DROP TABLE diagnoses_auditlink;
DROP FUNCTION diagnoses_audit_seal(integer);
DROP FUNCTION diagnoses_audit_await();
DROP FUNCTION diagnoses_audit_append(bigint, timestamptz, bytea);
DROP FUNCTION diagnoses_audit_digest(text[]);
"""


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0040_audit_by_month")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_TABLES + _FUNCTIONS + _EARLIER + _TRIGGERS, _BACK)],
            state_operations=[
                migrations.CreateModel(
                    name="AuditLink",
                    fields=[
                        ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("event_id", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("digest", models.BinaryField()),
                        ("hash", models.BinaryField()),
                    ],
                    options={"ordering": ["seq"]},
                ),
            ],
        ),
    ]
