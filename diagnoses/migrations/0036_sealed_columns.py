"""What tells of a person is sealed: columns of before stand aside, and what they hold goes sealed into new ones.

Of each patient ID there is one patient from here on, and of each study without one a patient of its own.
"""

import uuid
from datetime import date
from pathlib import PurePath
from typing import Any

from django.db import migrations, models

import diagnoses.models.sealed
import diagnoses.models.study
from diagnoses import sealing

_BATCH = 1000
_TEXTS = {
    "study": ["patient_id", "patient_birth_date", "accession_number", "clinical_note"],
    "image": ["filename"],
    "rejectedfile": ["filename"],
    "reading": ["text"],
}
_NO_COPY = """
DROP TRIGGER copy_study ON diagnoses_job;
DROP FUNCTION diagnoses_copy_study();
"""
_COPY_AS_BEFORE = """
CREATE FUNCTION diagnoses_copy_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT study.submitted_by_id, upper(concat_ws(E'\\x1f', image.filename, study.patient_id, study.accession_number,
        study.clinical_note))
    INTO NEW.owner_id, NEW.words
    FROM diagnoses_image image JOIN diagnoses_study study ON study.id = image.study_id WHERE image.id = NEW.image_id;
    RETURN NEW;
END $$;
CREATE TRIGGER copy_study BEFORE INSERT OR UPDATE OF image_id, owner_id, words ON diagnoses_job
    FOR EACH ROW EXECUTE FUNCTION diagnoses_copy_study();
UPDATE diagnoses_job SET words = '';
"""


def _rows(schema_editor: Any, sql: str, *, first: Any) -> Any:
    """The rows of a statement that goes on after the last row's key, a batch at a time."""
    last = first
    while True:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"{sql} LIMIT {_BATCH}", [last])
            batch = cursor.fetchall()
        if not batch:
            return
        yield batch
        last = batch[-1][0]


def _update(schema_editor: Any, sql: str, rows: list[Any]) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.executemany(sql, rows)


class _Patients:
    """Those made so far, by what stands for their ID, each with its key."""

    def __init__(self, schema_editor: Any) -> None:
        self._schema_editor = schema_editor
        self._known: dict[bytes, tuple[uuid.UUID, bytes]] = {}

    def of(self, patient_id: str, subject_id: uuid.UUID | None) -> tuple[uuid.UUID, bytes]:
        index = sealing.patient_index(patient_id)
        if index in self._known:
            return self._known[index]
        pk, key = subject_id or uuid.uuid4(), sealing.new_key()
        sealed, version = sealing.seal_key(key, f"diagnoses_patient.sealed_key:{pk}")
        _update(
            self._schema_editor,
            "INSERT INTO diagnoses_patient (id, index, sealed_key, key_version) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET index = excluded.index, sealed_key = excluded.sealed_key, "
            "key_version = excluded.key_version",
            [(pk, index, sealed, version)],
        )
        if index:
            self._known[index] = pk, key
        return pk, key


def _seal(key: bytes, table: str, column: str, row: Any, value: Any) -> bytes | None:
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, date) else value
    return sealing.seal(key, text.encode(), f"diagnoses_{table}.{column}:{row}") if text else b""


def _seal_all(apps: Any, schema_editor: Any) -> None:
    nil = uuid.UUID(int=0)
    patients = _Patients(schema_editor)
    studies = _rows(
        schema_editor,
        "SELECT id, subject_id, idempotency_fingerprint, plain_patient_id, plain_patient_birth_date, "
        "plain_accession_number, plain_clinical_note FROM diagnoses_study WHERE id > %s ORDER BY id",
        first=nil,
    )
    for batch in studies:
        rows = []
        for pk, subject_id, fingerprint, *values in batch:
            patient, key = patients.of(values[0], subject_id)
            sealed = [_seal(key, "study", *of) for of in zip(_TEXTS["study"], [pk] * 4, values, strict=True)]
            rows.append([patient, fingerprint and sealing.fingerprint(fingerprint), *sealed, pk])
        _update(
            schema_editor,
            "UPDATE diagnoses_study SET subject_id = %s, idempotency_fingerprint = %s, patient_id = %s, "
            "patient_birth_date = %s, accession_number = %s, clinical_note = %s WHERE id = %s",
            rows,
        )
    images = _rows(
        schema_editor,
        "SELECT image.id, patient.id, sealed_key, key_version, plain_filename, plain_patient_id, "
        "plain_accession_number, plain_clinical_note "
        "FROM diagnoses_image image JOIN diagnoses_study study ON study.id = image.study_id "
        "JOIN diagnoses_patient patient ON patient.id = study.subject_id WHERE image.id > %s ORDER BY image.id",
        first=nil,
    )
    for batch in images:
        rows = []
        for pk, patient, sealed_key, version, name, patient_id, *said in batch:
            key = sealing.unseal_key(bytes(sealed_key), version, f"diagnoses_patient.sealed_key:{patient}")
            words = sealing.words_of(patient_id, *said, name, PurePath(name).stem)
            rows.append([_seal(key, "image", "filename", pk, name), words, pk])
        _update(schema_editor, "UPDATE diagnoses_image SET filename = %s, words = %s::bigint[] WHERE id = %s", rows)
    rejected = _rows(
        schema_editor,
        "SELECT file.id, patient.id, sealed_key, key_version, plain_filename, study_id, position "
        "FROM diagnoses_rejectedfile file JOIN diagnoses_study study ON study.id = file.study_id "
        "JOIN diagnoses_patient patient ON patient.id = study.subject_id WHERE file.id > %s ORDER BY file.id",
        first=0,
    )
    for batch in rejected:
        rows = []
        for pk, patient, sealed_key, version, name, study, position in batch:
            key = sealing.unseal_key(bytes(sealed_key), version, f"diagnoses_patient.sealed_key:{patient}")
            rows.append([_seal(key, "rejectedfile", "filename", f"{study} {position}", name), pk])
        _update(schema_editor, "UPDATE diagnoses_rejectedfile SET filename = %s WHERE id = %s", rows)
    signed = _rows(
        schema_editor,
        "SELECT reading.id, patient.id, sealed_key, key_version, plain_text "
        "FROM diagnoses_reading reading JOIN diagnoses_image image ON image.id = reading.image_id "
        "JOIN diagnoses_study study ON study.id = image.study_id "
        "JOIN diagnoses_patient patient ON patient.id = study.subject_id WHERE reading.id > %s ORDER BY reading.id",
        first=nil,
    )
    for batch in signed:
        rows = []
        for pk, patient, sealed_key, version, text in batch:
            key = sealing.unseal_key(bytes(sealed_key), version, f"diagnoses_patient.sealed_key:{patient}")
            rows.append([_seal(key, "reading", "text", pk, text), pk])
        _update(schema_editor, "UPDATE diagnoses_reading SET text = %s WHERE id = %s", rows)


def _open(key: bytes | None, table: str, column: str, row: Any, sealed: Any) -> str | None:
    nothing = None if column == "patient_birth_date" else ""
    if not sealed or key is None:
        return nothing
    return sealing.unseal(key, bytes(sealed), f"diagnoses_{table}.{column}:{row}").decode()


def _open_all(apps: Any, schema_editor: Any) -> None:
    places = {"rejectedfile": "study_id || ' ' || position"}
    of_study = "SELECT subject_id FROM diagnoses_study study"
    ways = {
        "study": "row.subject_id",
        "reading": f"({of_study} JOIN diagnoses_image image ON study_id = study.id WHERE image.id = image_id)",
    }
    for table, columns in _TEXTS.items():
        way = ways.get(table, f"({of_study} WHERE study.id = study_id)")
        found = _rows(
            schema_editor,
            f"SELECT row.id, {places.get(table, 'row.id::text')}, patient.id, sealed_key, key_version, "
            f"{', '.join('row.' + column for column in columns)} FROM diagnoses_{table} row "
            f"JOIN diagnoses_patient patient ON patient.id = {way} WHERE row.id > %s ORDER BY row.id",
            first=0 if table == "rejectedfile" else uuid.UUID(int=0),
        )
        for batch in found:
            rows = []
            for pk, place, patient, sealed_key, version, *sealed in batch:
                key = sealed_key and sealing.unseal_key(
                    bytes(sealed_key), version, f"diagnoses_patient.sealed_key:{patient}"
                )
                said = [_open(key, table, *of) for of in zip(columns, [place] * len(sealed), sealed, strict=True)]
                rows.append([*said, pk])
            assigned = ", ".join(f"plain_{column} = %s" for column in columns)
            _update(schema_editor, f"UPDATE diagnoses_{table} SET {assigned} WHERE id = %s", rows)


def _renamed(model: str, column: str) -> list[Any]:
    is_date = column == "patient_birth_date"
    kind = diagnoses.models.sealed.SealedDateField if is_date else diagnoses.models.sealed.SealedTextField
    return [
        migrations.RenameField(model_name=model, old_name=column, new_name=f"plain_{column}"),
        migrations.AddField(model_name=model, name=column, field=kind(null=True)),
    ]


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0035_tokens_of_before")]

    operations = [
        migrations.RunSQL("SET LOCAL statement_timeout = 0", "SET LOCAL statement_timeout = 0"),
        migrations.RunSQL(_NO_COPY, _COPY_AS_BEFORE),
        migrations.RemoveIndex(model_name="study", name="study_of_patient"),
        migrations.RemoveIndex(model_name="study", name="study_words"),
        migrations.RemoveIndex(model_name="image", name="image_words"),
        *(step for model, columns in _TEXTS.items() for column in columns for step in _renamed(model, column)),
        migrations.AddField(
            model_name="image",
            name="words",
            field=diagnoses.models.study.WordsField(
                models.BigIntegerField(),
                db_default=[],
                default=list,
                editable=False,
                help_text="Stand for all that is searched.",
            ),
        ),
        migrations.AddField(
            model_name="image",
            name="file_key",
            field=diagnoses.models.sealed.SealedBytesField(
                editable=False, help_text="Opens its file, where that is sealed.", null=True
            ),
        ),
        # What is signed is never changed. Here it is closed, not changed.
        migrations.RunSQL(
            "ALTER TABLE diagnoses_reading DISABLE TRIGGER refuse_row_change",
            "ALTER TABLE diagnoses_reading ENABLE TRIGGER refuse_row_change",
        ),
        migrations.RunPython(_seal_all, _open_all),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.RunSQL(
            "ALTER TABLE diagnoses_reading ENABLE TRIGGER refuse_row_change",
            "ALTER TABLE diagnoses_reading DISABLE TRIGGER refuse_row_change",
        ),
    ]
