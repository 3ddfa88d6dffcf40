"""`python -m tests.bench.history [SMALL LARGE]`: what a page of the history costs beside few results and beside many.

Both databases lie on one server of their own and are asked in turns, in one run, so that their ratio means something
where times alone do not.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
from dj_db_conn_pool.core import pool_container
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from cxrsite.embedded import EmbeddedPostgres
from tests.bench.bench import Bench
from tests.bench.figures import Figures
from tests.bench.hashes import KEYS, WORDS, keys_in_sql
from tests.bench.history_times import Times, compared
from tests.bench.history_users import MEMBER, OTHER, OWNER, PEOPLE, WARD
from tests.integration.site import ROOT

_SMALL, _LARGE = 10_000, 1_000_000
_ROUNDS = 25
_WARM_UP = 3

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
    "heatmap": "'no picture'::bytea",
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
# Three images make two studies, and three studies are a patient's. Of eleven studies in a row one is the other user's.
# Words are spread evenly, but for two that only old notes have. Nothing is sealed: the way to a page is measured.
_STUDIES = """
CREATE TEMP TABLE said AS
SELECT n, md5('study' || n)::uuid AS id, at, md5('patient' || n / 3)::uuid AS patient,
    lower('P-' || lpad((n / 3)::text, 7, '0')) || ' ' || lower('ACC-' || (700000000 + n * 7)) || ' ' || lower(
    CASE WHEN n % 10 < 3 THEN 'Fever and productive cough for ' || n % 9 || ' days, ' ELSE 'Shortness of breath, ' END
    || CASE WHEN n % 5 = 1 THEN 'known asthma.' ELSE 'no history of note.' END
    || CASE WHEN n % 250 = 7 THEN ' Rule out empyema.' ELSE '' END
    || CASE WHEN n % ({studies} / 5) = 9 THEN ' Query sarcoidosis.' ELSE '' END
    || CASE WHEN n < 40 THEN ' Seen in Quebec.' ELSE '' END
    || CASE WHEN n < {studies} * 0.3 THEN ' Scanned film.' ELSE '' END) AS words
FROM (
    SELECT n, now() - interval '1 hour' - ({studies} - n) * interval '1000 days' / {studies} AS at
    FROM generate_series(0, {studies} - 1) n
) numbered;
INSERT INTO diagnoses_patient (id, index)
SELECT md5('patient' || n)::uuid, pg_temp.mac({patients}, 'p-' || lpad(n::text, 7, '0'))
FROM generate_series(0, {studies} / 3) n;
INSERT INTO diagnoses_study (id, created_at, submitted_by_id, department_id, subject_id, patient_sex, patient_id,
    accession_number, clinical_note)
SELECT id, at, CASE WHEN n % 11 = 5 THEN {other} ELSE {owner} END, CASE WHEN n % 11 <> 5 THEN {ward} END, patient,
    CASE WHEN n % 2 = 0 THEN 'F' ELSE 'M' END, '', '', ''
FROM said
"""
_IMAGES = """
INSERT INTO diagnoses_image (id, study_id, position, filename, words, kind, byte_size, sha256, width, height,
    stored_name)
SELECT md5('image' || image.n)::uuid, said.id, image.n % 3 % 2, '', pg_temp.words(
        CASE WHEN image.n % 4 = 0 THEN 'im-' || lpad(image.n::text, 7, '0') || '.dcm'
        ELSE 'chest-' || image.n || '-pa.png' END || ' ' || said.words),
    CASE WHEN image.n % 4 = 0 THEN 'dicom' ELSE 'png' END, 400000, repeat('b', 64), 1600, 1300, 'originals/' || image.n
FROM generate_series(0, {images} - 1) image(n) JOIN said ON said.n = image.n / 3 * 2 + (image.n % 3) / 2
"""
# One in forty was read again by the other version, one in twenty has a shadow's reading.
_JOBS = """
INSERT INTO diagnoses_job (id, image_id, model_version_id, purpose, status, token, attempts, worker_name, urgent,
    created_at, ready_at, rung_at, lease_until, ended_at, error_code, error_message, override_code, override_reason,
    override_by, owner_id, circle, label, indeterminate, words)
SELECT md5(purpose || n)::uuid, md5('image' || n)::uuid,
    (SELECT id FROM diagnoses_modelversion WHERE name = CASE WHEN purpose = 'primary' AND n % 50 <> 3
        THEN 'mobilenet_v2' ELSE 'xception' END),
    purpose, status, 1, 1, 'reader-1', false, at, at, at, CASE WHEN status = 'running' THEN now() END,
    CASE WHEN status IN ('done', 'failed', 'refused') THEN at + interval '2 seconds' END,
    CASE status WHEN 'failed' THEN 'internal_error' WHEN 'refused' THEN 'not_frontal' ELSE '' END,
    CASE status WHEN 'failed' THEN 'The reading failed.' WHEN 'refused' THEN 'No frontal view.' ELSE '' END,
    '', '', '', study.submitted_by_id, coalesce(study.department_id, -study.submitted_by_id),
    CASE WHEN status <> 'done' THEN '' WHEN n % 10 IN (1, 4, 8) THEN 'NORMAL' ELSE 'PNEUMONIA' END,
    status = 'done' AND n % 25 = 11,
    image.words
FROM (
    SELECT n, purpose,
        CASE WHEN n >= {images} - 200 AND n % 8 < 4 THEN 'queued' WHEN n % ({images} / 6) = 17 THEN 'running'
            WHEN n % 97 < 12 THEN 'refused' WHEN n % 97 < 14 THEN 'failed' ELSE 'done' END AS status
    FROM generate_series(0, {images} - 1) n, unnest(ARRAY['primary', 'reread', 'shadow']) purpose
    WHERE purpose = 'primary' OR purpose = 'reread' AND n % 40 = 13 AND n % 50 <> 3
        OR purpose = 'shadow' AND n % 20 = 5 AND n % 50 <> 3
) numbered
JOIN diagnoses_image image ON image.id = md5('image' || n)::uuid
JOIN diagnoses_study study ON study.id = image.study_id,
LATERAL (SELECT study.created_at + CASE purpose WHEN 'reread' THEN interval '30 minutes' ELSE '0' END AS at) sent
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
_TABLES = ("patient", "study", "image", "job", "result", "jobtransition")
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique
"""


def seed(count: int) -> None:
    """Give `OWNER` about `count` results, and `OTHER` a tenth of it, in the database that Django is connected to.

    Rows are written past triggers and foreign keys, with what those would have seen to.
    """
    images = count * 5 // 4 // 33 * 33
    facts: dict[str, object] = {"owner": OWNER, "other": OTHER, "ward": WARD, "images": images}
    facts |= {"studies": images // 3 * 2, **keys_in_sql()}
    with connection.cursor() as cursor, _without_indexes(cursor):
        cursor.execute(
            "SET session_replication_role = replica; SET statement_timeout = 0; SET maintenance_work_mem = '512MB'"
        )
        cursor.execute(_VERSIONS)
        cursor.execute(PEOPLE)
        for sql in (WORDS, _STUDIES, _IMAGES, _JOBS):
            cursor.execute(sql.format(**facts))
            _look_at_tables(cursor)  # which were found empty before, and the next statement joins them
        cursor.execute(_RESULTS)
        cursor.execute(_TRANSITIONS)
        cursor.execute("SET session_replication_role = origin")
    with connection.cursor() as cursor:
        _look_at_tables(cursor)


def _look_at_tables(cursor: Any) -> None:
    cursor.execute("ANALYZE " + ", ".join(f"diagnoses_{table}" for table in _TABLES))


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


def queries() -> dict[str, dict[str, str]]:
    """What people look for, by its name: each field alone, what is common and what is rare, and several together."""
    days_ago = {days: str(timezone.localdate() - timedelta(days=days)) for days in (30, 400, 500, 600)}
    return {
        "no filter": {},
        "label": {"label": "NORMAL"},
        "indeterminate": {"indeterminate": "true"},
        "status done": {"status": "done"},
        "status failed": {"status": "failed"},
        "status running": {"status": "running"},
        "status queued": {"status": "queued"},
        "model": {"model": "mobilenet_v2"},
        "other model": {"model": "xception"},
        "patient": {"patient_id": "P-0000700"},
        "last month": {"since": days_ago[30]},
        "long ago": {"until": days_ago[600]},
        "dates": {"since": days_ago[500], "until": days_ago[400]},
        "rare word": {"search": "sarcoidosis"},
        "rare word of long ago": {"search": "quebec"},
        "no such word": {"search": "xyzzyq"},
        "common word": {"search": "cough"},
        "one in 250": {"search": "empyema"},
        "file name": {"search": "chest-1235-pa"},
        "accession number": {"search": "ACC-700008001"},
        "label, other model, indeterminate": {"label": "NORMAL", "model": "xception", "indeterminate": "true"},
        "label, dates": {"label": "PNEUMONIA", "since": days_ago[500], "until": days_ago[400]},
        "common word, status failed": {"search": "cough", "status": "failed"},
        "common word, status running": {"search": "cough", "status": "running"},
        "common word, label, model": {"search": "fever", "label": "NORMAL", "model": "mobilenet_v2"},
        "rare word, status done": {"search": "sarcoidosis", "status": "done"},
        "patient, label": {"patient_id": "P-0000700", "label": "PNEUMONIA"},
    }


UNFAVOURABLE = {
    "one in 250, status refused": {"search": "empyema", "status": "refused"},
    "a word that was common once": {"search": "scanned"},
    "two words that never meet": {"search": "quebec sarcoidosis"},
}
"""What is known to grow. It is measured and shown, and no part of the mix."""
_FAR_DOWN = {
    "far down": {},
    "far down, label": {"label": "NORMAL"},
    "far down, common word": {"search": "cough"},
    "far down, model": {"model": "mobilenet_v2"},
}
_USERS = {"nearly all are the user's": OWNER, "the user's beside many others": OTHER, "a colleague's": MEMBER}


def take(bench: Bench) -> Figures:
    """The worst of the users' ratios over the whole mix, in a process of its own, which has its own database."""
    command = [sys.executable, "-m", "tests.bench.history", str(_SMALL), str(_LARGE)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        f"page_{figure}_of_1e6_over_1e4": max(found[who]["mix"][f"{figure}_ratio"] for who in _USERS)
        for figure in ("median", "p95")
    }


def measure(small: int, large: int) -> dict[str, Any]:
    """Milliseconds of a page beside `small` and `large` results: medians, 95th percentiles and the ratios of both.

    For each user by query, for the whole mix together, and for what is known to be unfavourable.
    """
    sizes = {"small": small, "large": large}
    with _server(), _plain_static_files():
        for name, count in sizes.items():
            _make(name, count)
        pages = {(name, user): _pages(name, user) for name in sizes for user in _USERS.values()}
        times: dict[str, dict[str, Times]] = {who: {} for who in _USERS}
        for number in range(_WARM_UP + _ROUNDS):
            for name in sizes if number % 2 else reversed(sizes):
                _use(name)
                for who, user in _USERS.items():
                    for query, seconds in _one_round(*pages[name, user]):
                        if number >= _WARM_UP:
                            times[who].setdefault(query, {}).setdefault(name, []).append(seconds * 1000)
    return {"results": sizes, **{who: _figures(of_user) for who, of_user in times.items()}}


def _make(name: str, count: int) -> None:
    _use("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    _use(name)
    call_command("migrate", verbosity=0)
    seed(count)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _use(name: str) -> None:
    connection.close()
    if pool_container.has(connection.alias):  # it is for the one database that it was opened for
        pool_container.pop(connection.alias).dispose()
    connection.settings_dict["NAME"] = name


def _pages(name: str, user: int) -> tuple[Client, dict[str, str]]:
    """The user's browser, and for each query the address of its page."""
    _use(name)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(get_user_model().objects.get(pk=user))
    middle = _middle(user)
    far_down = {query: {**wanted, "after": middle} for query, wanted in _FAR_DOWN.items()}
    return browser, {
        query: _address(browser, wanted) for query, wanted in (queries() | far_down | UNFAVOURABLE).items()
    }


def _address(browser: Client, wanted: dict[str, str]) -> str:
    """Where the site leads to: what may name a patient is sealed in it."""
    answer = browser.get(reverse("history"), wanted)
    return answer["Location"] if answer.status_code == 302 else f"{reverse('history')}?{urlencode(wanted)}"


def _middle(user: int) -> str:
    """The cursor of the reading in the middle of all that the user sees."""
    seen = "FROM diagnoses_job WHERE circle = %s AND purpose <> 'shadow'"
    circle = -OTHER if user == OTHER else WARD
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) / 2 {seen}", [circle])
        half = cursor.fetchone()
        cursor.execute(f"SELECT created_at, id {seen} ORDER BY 1 DESC, 2 DESC OFFSET %s LIMIT 1", [circle, *half])
        at, pk = cursor.fetchone()
    return base64.urlsafe_b64encode(f"{at.isoformat()} {pk}".encode()).decode()


def _one_round(browser: Client, pages: dict[str, str]) -> Iterator[tuple[str, float]]:
    for query, address in pages.items():
        started = time.perf_counter()
        response = browser.get(address)
        yield query, time.perf_counter() - started
        assert response.status_code == 200, query


def _figures(times: dict[str, Times]) -> dict[str, Any]:
    mix = [of_query for query, of_query in times.items() if query not in UNFAVOURABLE]
    pooled = {name: [one for of_query in mix for one in of_query[name]] for name in mix[0]}
    return {"mix": compared(pooled), "queries": {query: compared(of_query) for query, of_query in times.items()}}


@contextmanager
def _server() -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres")
    os.environ |= {
        "CXR_ENV_FILE": "",
        "CXR_MFA_ROLES": "none",
        "CXR_PAGES_PER_MINUTE": "1000000",  # far more than a user opens
        "CXR_SECRET_KEY": "a key for measuring alone, as long as a real one has to be",
        "CXR_DATA_KEYS": KEYS,
        "DATABASE_URL": server.url,
        "REDIS_URL": "redis://nobody-asks",
        "DJANGO_SETTINGS_MODULE": "cxrsite.settings",
    }
    django.setup()
    try:
        yield
    finally:
        connection.close()
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def _plain_static_files() -> Iterator[None]:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


def main(small: int = _SMALL, large: int = _LARGE) -> None:
    """Print a table for each user, and the same as JSON."""
    figures = measure(small, large)
    for who in _USERS:
        columns = ("median, ms", "", "ratio", "95th percentile, ms", "", "ratio")
        table = Table("Query", *columns, title=f"The history beside {small} and {large} results; {who}")
        rows = {"the mix": figures[who]["mix"], **figures[who]["queries"]}
        for query, row in rows.items():
            table.add_row(query + " *" * (query in UNFAVOURABLE), *(f"{value:.3g}" for value in row.values()))
        table.caption = "* no part of the mix"
        Console().print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
