"""`python -m tests.bench_history [SMALL LARGE]`: what a page of the history costs beside few results and beside many.

Both databases lie on one server of their own and are asked in turns, in one run, so that their ratio means something
where times alone do not.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_ROUNDS = 30
_WARM_UP = 3
OWNER, OTHER = 1001, 1002
"""The user whose history is as long as was asked for, and one who has a tenth of it besides."""

_RESULT: dict[str, str] = {
    "job_id": "job.id",
    "created_at": "job.ended_at",
    "label": "job.label",
    "score": "1.5",
    "probability": "0.8",
    "indeterminate_reason": "CASE WHEN job.indeterminate THEN 'band' ELSE '' END",
    "warnings": "'[]'",
    "threshold": "0.5",
    "band_low": "0.4",
    "band_high": "0.6",
    "temperature": "1",
    "weights_sha256": "repeat('a', 64)",
    "image_sha256": "repeat('b', 64)",
    "preprocessing_version": "'area-stretch-1'",
    "engine": "'openvino'",
    "heatmap_name": "'heatmaps/' || job.id || '-1'",
    "heatmap_peak": "3",
    "timings_ms": """'{"decode": 1.5, "engine": 7.25}'""",
    "override_code": "''",
    "override_reason": "''",
    "override_by": "''",
}
"""Each column of a result, and what it is filled with."""

_VERSIONS = """
INSERT INTO diagnoses_modelversion (name, version, architecture, card_sha256, weights_sha256, preprocessing_version,
    threshold, temperature, band_low, band_high, card, standing, available)
SELECT name, '1.0.0', name, repeat(name::char, 64), repeat(name::char, 64), 'area-stretch-1', 0.5, 1, 0.4, 0.6, '{}',
    'candidate', true
FROM unnest(ARRAY['mobilenet_v2', 'xception']) name
"""
_OWNERS = f"""
INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_active, is_staff, is_superuser,
    date_joined)
VALUES ({OWNER}, 'owner', '!', '', '', '', true, false, false, now()),
    ({OTHER}, 'other', '!', '', '', '', true, false, false, now())
"""
# Three images make two studies, six a patient's three studies. Of eleven studies in a row one is the other user's. Words
# are spread evenly, but for one that only the oldest of the owner's notes have.
_STUDIES = """
INSERT INTO diagnoses_study (id, created_at, submitted_by_id, patient_id, patient_sex, accession_number, clinical_note)
SELECT md5('study' || n)::uuid, at, CASE WHEN n % 11 = 5 THEN {other} ELSE {owner} END,
    'P-' || lpad((n / 3)::text, 7, '0'), CASE WHEN n % 2 = 0 THEN 'F' ELSE 'M' END, 'ACC-' || (700000000 + n * 7),
    CASE WHEN n % 10 < 3 THEN 'Fever and productive cough for ' || n % 9 || ' days, ' ELSE 'Shortness of breath, ' END
    || CASE WHEN n % 5 = 1 THEN 'known asthma.' ELSE 'no history of note.' END
    || CASE WHEN n % 250 = 7 THEN ' Rule out empyema.' ELSE '' END
    || CASE WHEN n % ({studies} / 5) = 9 THEN ' Query sarcoidosis.' ELSE '' END
    || CASE WHEN n < 40 THEN ' Seen in Quebec.' ELSE '' END
    || CASE WHEN n < {studies} * 0.3 THEN ' Scanned film.' ELSE '' END
FROM (
    SELECT n, now() - interval '1 hour' - ({studies} - n) * interval '1000 days' / {studies} AS at
    FROM generate_series(0, {studies} - 1) n
) numbered
"""
_IMAGES = """
INSERT INTO diagnoses_image (id, study_id, position, filename, kind, byte_size, sha256, width, height, stored_name)
SELECT md5('image' || n)::uuid, md5('study' || (n / 3 * 2 + (n % 3) / 2))::uuid, n % 3 % 2,
    CASE WHEN n % 4 = 0 THEN 'IM-' || lpad(n::text, 7, '0') || '.dcm' ELSE 'chest-' || n || '-PA.png' END,
    CASE WHEN n % 4 = 0 THEN 'dicom' ELSE 'png' END, 400000, repeat('b', 64), 1600, 1300, 'originals/' || n
FROM generate_series(0, {images} - 1) n
"""
# One in forty was read again by the other version, one in twenty has a shadow's reading.
_JOBS = """
INSERT INTO diagnoses_job (id, image_id, model_version_id, purpose, status, token, attempts, worker_name, urgent,
    created_at, ready_at, rung_at, lease_until, ended_at, error_code, error_message, override_code, override_reason,
    override_by, owner_id, label, indeterminate)
SELECT md5(purpose || n)::uuid, md5('image' || n)::uuid,
    (SELECT id FROM diagnoses_modelversion WHERE name = CASE WHEN purpose = 'primary' AND n % 50 <> 3
        THEN 'mobilenet_v2' ELSE 'xception' END),
    purpose, status, 1, 1, 'reader-1', false, at, at, at, CASE WHEN status = 'running' THEN now() END,
    CASE WHEN status IN ('done', 'failed', 'refused') THEN at + interval '2 seconds' END,
    CASE status WHEN 'failed' THEN 'internal_error' WHEN 'refused' THEN 'not_frontal' ELSE '' END,
    CASE status WHEN 'failed' THEN 'The reading failed on the server.' WHEN 'refused' THEN 'No frontal view.' ELSE '' END,
    '', '', '', study.submitted_by_id,
    CASE WHEN status <> 'done' THEN '' WHEN n % 10 IN (1, 4, 8) THEN 'NORMAL' ELSE 'PNEUMONIA' END,
    status = 'done' AND n % 25 = 11
FROM (
    SELECT n, purpose, md5('study' || (n / 3 * 2 + (n % 3) / 2))::uuid AS study_id,
        CASE WHEN n >= {images} - 200 AND n % 8 < 4 THEN 'queued' WHEN n % ({images} / 6) = 17 THEN 'running'
            WHEN n % 97 < 12 THEN 'refused' WHEN n % 97 < 14 THEN 'failed' ELSE 'done' END AS status
    FROM generate_series(0, {images} - 1) n, unnest(ARRAY['primary', 'reread', 'shadow']) purpose
    WHERE purpose = 'primary' OR purpose = 'reread' AND n % 40 = 13 AND n % 50 <> 3
        OR purpose = 'shadow' AND n % 20 = 5 AND n % 50 <> 3
) numbered
JOIN diagnoses_study study ON study.id = numbered.study_id,
LATERAL (SELECT study.created_at + CASE WHEN purpose = 'reread' THEN interval '30 minutes' ELSE interval '0' END AS at) sent
"""
_RESULTS = f"""
INSERT INTO diagnoses_result ({", ".join(_RESULT)})
SELECT {", ".join(_RESULT.values())} FROM diagnoses_job job WHERE job.status = 'done'
"""
_TRANSITIONS = """
INSERT INTO diagnoses_jobtransition (job_id, at, move, source, target, token, by, detail)
SELECT job.id, job.created_at, 'claim', 'queued', 'running', 1, 'reader-1', ''
FROM diagnoses_job job WHERE job.status <> 'queued'
UNION ALL
SELECT job.id, job.ended_at, 'complete', 'running', job.status, 1, 'reader-1', ''
FROM diagnoses_job job WHERE job.ended_at IS NOT NULL
ORDER BY 2
"""
_TABLES = ("study", "image", "job", "result", "jobtransition")
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique
"""


def seed(count: int) -> None:
    """Give `OWNER` about `count` results, and `OTHER` a tenth of it, in the database that Django is connected to.

    Rows are written past triggers and foreign keys, with what those would have seen to.
    """
    from django.db import connection  # noqa: PLC0415 - Django's settings need the servers first

    images = count * 5 // 4 // 33 * 33
    facts = {"owner": OWNER, "other": OTHER, "images": images, "studies": images // 3 * 2}
    with connection.cursor() as cursor, _without_indexes(cursor):
        cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0")
        cursor.execute(_VERSIONS)
        cursor.execute(_OWNERS)
        for sql in (_STUDIES, _IMAGES, _JOBS):
            cursor.execute(sql.format(**facts))
        cursor.execute(_RESULTS)
        cursor.execute(_TRANSITIONS)
        cursor.execute("SET session_replication_role = origin")
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"ANALYZE diagnoses_{table}")


@contextmanager
def _without_indexes(cursor: Any) -> Iterator[None]:
    """They are made again at the end, which is much faster than keeping them up."""
    cursor.execute(_INDEXES, [[f"diagnoses_{table}" for table in _TABLES]])
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)
