"""Several processes at the same jobs, each with its own connection to a real database."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import Image, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.audit_chain import stream_chain
from diagnoses.services import anchoring, recovery, registry, verifying
from diagnoses.services import jobs as job_services
from diagnoses.services.erasing import purge_studies
from diagnoses.services.patients import patient_for
from diagnoses.states import JobStatus, Move
from tests.diagnoses.factory import make_card
from tests.integration.site import ROOT, wait_until

JOBS = 120
AT_ONCE = 4
BATCH = 3
EVENTS = 50
_START = 8151
"""Whoever may have this advisory lock, shared, may start."""


# What runs in the other processes: see `Database.process`.


def seed() -> None:
    """A model that no worker serves, and jobs for it."""
    user = User.objects.create(username="sender")
    version = ModelVersion.objects.create(
        name="dummy",
        version="1",
        architecture="none",
        card_sha256="0" * 64,
        weights_sha256="0" * 64,
        preprocessing_version="none",
        threshold=0.5,
        temperature=1,
        band_low=0.4,
        band_high=0.6,
        available=True,
        card={},
    )
    study = Study.objects.create(submitted_by=user, subject=patient_for(""))
    for position in range(JOBS):
        stored = {"sha256": "0" * 64, "width": 1, "height": 1, "stored_name": uuid.uuid4().hex}
        image = Image.objects.create(study=study, position=position, filename="x", kind="png", byte_size=1, **stored)
        Job.objects.create(image=image, model_version=version)


def claim_all(name: str) -> None:
    """Wait for the start, claim until nothing is left, and print what came."""
    version = ModelVersion.objects.get(name="dummy")
    wait_for_start()
    claimed: list[tuple[str, int]] = []
    while claims := job_services.claim_jobs(worker_name=name, model_versions=[version], limit=BATCH):
        claimed += [(str(claim.job_id), claim.token) for claim in claims]
    print(json.dumps(claimed))


def end_last(number: int) -> None:
    """Wait for the start, fail one of the jobs that are left to the processes, and print how many were ended."""
    study = Study.objects.get()
    jobs = list(Job.objects.filter(image__study=study, status=JobStatus.RUNNING).order_by("pk"))
    job = jobs[number]
    claim = job_services.Claim(
        job.pk, job.token, job.worker_name, "", "", job.model_version_id, None, False, False, False
    )
    end = job_services.NoResult(Move.FAIL, "internal_error", "It broke.")
    wait_for_start()
    print(json.dumps(len(job_services.end_jobs(ends=[(claim, end)]))))


def reconcile() -> None:
    """Wait for the start, make one round, and print what it found."""
    wait_for_start()
    print(json.dumps(vars(recovery.reconcile())))


def ship() -> None:
    """Wait for the start, register two models as after an installation, and print what was done."""
    wait_for_start()
    print(json.dumps(registry.sync_shipped(cards=[make_card("mobilenet_v2"), make_card("xception")])))


def seed_versions() -> None:
    """A live version, and others that could be."""
    registry.sync_shipped(cards=[make_card("mobilenet_v2"), *(make_card(f"other{n}") for n in range(AT_ONCE))])


def promote(name: str) -> None:
    """Wait for the start, make this model's version the default, and print its name."""
    version = ModelVersion.objects.get(name=name)
    wait_for_start()
    registry.promote(version=version, actor=Actor(None, name), reason="Everybody at once.")
    print(json.dumps(name))


def put_on_record(name: str) -> None:
    """Wait for the start, record one event after the other, seal now and then, and print the name."""
    wait_for_start()
    for number in range(EVENTS):
        audit.record(AuditAction.HISTORY_VIEWED, Actor(None, name), found=number)
        if number % 10 == 0:
            anchoring.seal()
    print(json.dumps(name))


def verify_chain() -> None:
    """Wait for the start, verify the audit, and print how many links it has and what was found."""
    wait_for_start()
    anchoring.seal()
    verdict = verifying.verify(stream_chain(), [], {})
    print(json.dumps([verdict.links, verdict.found]))


def send_for(patient_id: str) -> None:
    """Wait for the start, send a study for this patient, and print whose it is."""
    wait_for_start()
    with transaction.atomic():
        patient = patient_for(patient_id)
        study = Study.objects.create(submitted_by=User.objects.get(), subject=patient, patient_id=patient_id)
    print(json.dumps([str(study.subject_id), Study.objects.get(pk=study.pk).patient_id]))


def purge() -> None:
    """Wait for the start, purge what is older than a month, and print how many studies that were."""
    wait_for_start()
    print(json.dumps(purge_studies(actor=Actor(None, "terminal"), days=30)))


def wait_for_start() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # The product's sessions wait for a lock for a few seconds only; the other processes may start slowly.
        cursor.execute("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [_START])


class Database:
    """A database of the tests' server, whose tables are there or are yet to be made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def close(self) -> None:
        self._connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def run(self, arguments: list[str]) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self._environment, check=True)

    def process(self, call: str) -> "subprocess.Popen[str]":
        """A call of one of this module's functions in a process of its own."""
        code = f"import django; django.setup(); from {__name__} import *; {call}"
        command = [sys.executable, "-c", code]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True)

    def alone(self, call: str) -> None:
        process = self.process(call)
        process.communicate(timeout=60)
        assert process.returncode == 0

    def held_up(self, call: str, statements: list[str]) -> Any:
        """What the call prints, let go while the statements' transaction is open; that ends once the call waits."""
        with ThreadPoolExecutor() as pool, psycopg2.connect(self.url) as other, other.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            printed = pool.submit(self.together, [call])
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
            row_locks = "wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')"
            wait_until(lambda: self.rows(waiting + row_locks) == [(1,)], 60, "the call waits")
            other.commit()
            [said] = printed.result()
        other.close()
        return said

    def together(self, calls: list[str]) -> list[Any]:
        """What the calls print, each in its own process, all let go at the same moment."""
        self.rows("SELECT pg_advisory_lock(%s)", _START)
        processes = [self.process(call) for call in calls]
        try:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            wait_until(lambda: self.rows(waiting, _START) == [(len(calls),)], 60, "all processes wait for the start")
            self.rows("SELECT pg_advisory_unlock(%s)", _START)
            printed = [process.communicate(timeout=60)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        assert [process.returncode for process in processes] == [0] * len(calls)
        return [json.loads(text) for text in printed]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "cxrsite.settings"}


@contextmanager
def _database(name: str, template: str) -> Iterator[Database]:
    """A copy of another database, as long as the context lasts."""
    server = os.environ["DATABASE_URL"]
    with closing(psycopg2.connect(server)) as owner:
        owner.autocommit = True
        cursor = owner.cursor()
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        database = Database(urlsplit(server)._replace(path=f"/{name}").geturl())
        try:
            yield database
        finally:
            database.close()
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def pattern() -> Iterator[str]:
    """The name of an empty database with the product's tables: they take seconds to make, and a copy of them none."""
    name = f"tests_{uuid.uuid4().hex[:12]}"
    with _database(name, "template1") as database:
        database.run(["manage.py", "migrate", "--verbosity", "0"])
        database.close()  # one that somebody is connected to cannot be copied
        yield name


@pytest.fixture
def database(pattern: str) -> Iterator[Database]:
    with _database(f"tests_{uuid.uuid4().hex[:12]}", pattern) as database:
        yield database


@pytest.fixture
def seeded(database: Database) -> Database:
    database.alone("seed()")
    return database


def test_processes_that_claim_at_once_never_get_the_same_job_and_leave_none(seeded: Database) -> None:
    claimed = seeded.together([f"claim_all('worker-{number}')" for number in range(AT_ONCE)])
    jobs = [job for claims in claimed for job, _ in claims]
    assert len(jobs) == len(set(jobs)) == JOBS
    assert sum(1 for claims in claimed if claims) > 1, "one process was alone; nothing was contested"
    rows = seeded.rows("SELECT id::text, status, token, attempts, worker_name FROM diagnoses_job")
    holders = {job: f"worker-{number}" for number, claims in enumerate(claimed) for job, _ in claims}
    assert sorted(rows) == sorted((job, "running", 1, 1, holder) for job, holder in holders.items())
    assert seeded.rows("SELECT count(*), count(DISTINCT job_id) FROM diagnoses_jobtransition") == [(JOBS, JOBS)]


def test_a_claim_passes_over_what_another_is_just_claiming_instead_of_waiting_for_it(seeded: Database) -> None:
    with psycopg2.connect(seeded.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT id::text FROM diagnoses_job ORDER BY created_at, id LIMIT 5 FOR UPDATE")
        locked = {job for (job,) in cursor.fetchall()}
        [claims] = seeded.together(["claim_all('worker')"])
        other.rollback()
    other.close()
    claimed = {job for job, _ in claims}
    assert len(locked) == 5
    assert not claimed & locked
    assert len(claimed) == JOBS - 5


def test_rounds_of_reconciling_at_once_recover_each_lost_job_once(seeded: Database) -> None:
    seeded.together(["claim_all('lost')"])
    seeded.rows("UPDATE diagnoses_job SET lease_until = now() - interval '1 second'")
    found = seeded.together(["reconcile()"] * AT_ONCE)
    assert sum(round_["recovered"] for round_ in found) == JOBS
    moves = seeded.rows("SELECT move, count(*) FROM diagnoses_jobtransition GROUP BY move ORDER BY move")
    assert moves == [("claim", JOBS), ("recover", JOBS)]
    assert seeded.rows("SELECT DISTINCT status, lease_until IS NULL FROM diagnoses_job") == [("queued", True)]


def test_of_processes_that_end_the_last_jobs_of_a_study_at_once_the_last_tells_its_sender(seeded: Database) -> None:
    seeded.together(["claim_all('worker')"])
    kept = "SELECT id FROM diagnoses_job ORDER BY id LIMIT %s"
    ended = "UPDATE diagnoses_job SET status = 'failed', lease_until = NULL, ended_at = now()"
    seeded.rows(f"{ended} WHERE id NOT IN ({kept})", AT_ONCE)
    assert seeded.together([f"end_last({number})" for number in range(AT_ONCE)]) == [1] * AT_ONCE
    assert seeded.rows("SELECT kind, count(*) FROM diagnoses_notification GROUP BY kind") == [("batch_done", 1)]


def test_installations_that_register_at_once_make_one_model_live_once(database: Database) -> None:
    notes = database.together(["ship()"] * AT_ONCE)
    started = "mobilenet_v2 2.0.0 is what new studies are read with."
    assert sum(started in lines for lines in notes) == 1
    versions = database.rows("SELECT name, standing, available FROM diagnoses_modelversion ORDER BY name")
    assert versions == [("mobilenet_v2", "live", True), ("xception", "candidate", True)]
    assert database.rows("SELECT kind, by FROM diagnoses_modelchange") == [("promote", "site")]


def test_promotions_at_once_take_place_one_after_the_other_each_replacing_the_one_before(database: Database) -> None:
    database.alone("seed_versions()")
    database.together([f"promote('other{number}')" for number in range(AT_ONCE)])
    history = database.rows("SELECT version_id, replaced_id FROM diagnoses_modelchange ORDER BY id")
    assert len(history) == AT_ONCE + 1
    assert [replaced for _, replaced in history] == [None, *(version for version, _ in history[:-1])]
    assert database.rows("SELECT id FROM diagnoses_modelversion WHERE standing = 'live'") == [(history[-1][0],)]


def test_processes_that_record_and_seal_at_once_make_one_chain_without_a_gap(database: Database) -> None:
    names = [f"writer{number}" for number in range(AT_ONCE)]
    assert database.together([f"put_on_record('{name}')" for name in names]) == names
    assert database.together(["verify_chain()"]) == [[AT_ONCE * EVENTS, []]]
    links = "SELECT min(seq), max(seq), count(DISTINCT event_id) FROM diagnoses_auditlink"
    assert database.rows(links) == [(1, AT_ONCE * EVENTS, AT_ONCE * EVENTS)]
    assert database.rows("SELECT count(*) FROM diagnoses_auditpending") == [(0,)]


def test_who_is_sent_a_study_while_being_erased_is_a_new_patient(seeded: Database) -> None:
    erased, _ = seeded.together(["send_for('P-1')"])[0]
    gone = "sealed_key = NULL, key_version = NULL, index = NULL, erased_at = now()"
    again, said = seeded.held_up("send_for('P-1')", [f"UPDATE diagnoses_patient SET {gone} WHERE id = '{erased}'"])
    assert again != erased
    assert said == "P-1"


def test_who_is_sent_a_study_while_their_older_ones_are_purged_keeps_the_key(seeded: Database) -> None:
    patient, _ = seeded.together(["send_for('P-1')"])[0]
    seeded.rows("UPDATE diagnoses_study SET created_at = now() - interval '31 days' WHERE subject_id = %s", patient)
    hold = f"SELECT 1 FROM diagnoses_patient WHERE id = '{patient}' FOR NO KEY UPDATE"
    send = f"UPDATE diagnoses_study SET subject_id = '{patient}' WHERE subject_id <> '{patient}'"
    assert seeded.held_up("purge()", [hold, send]) == 1
    kept = "SELECT count(*), count(p.sealed_key) FROM diagnoses_study s JOIN diagnoses_patient p ON p.id = s.subject_id"
    assert seeded.rows(f"{kept} WHERE p.id = %s", patient) == [(1, 1)]
