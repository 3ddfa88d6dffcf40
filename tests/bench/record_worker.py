"""What a process of the benches does with the record: fill it, look at it as an auditor does, go through it."""

import statistics
import time
import uuid
from collections.abc import Mapping

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from diagnoses.audit_export import audit_json_lines
from diagnoses.models import AuditEvent
from diagnoses.roles import Role
from diagnoses.selectors.audit_chain import stream_chain
from diagnoses.selectors.audit_events import stream_audit
from diagnoses.services import anchoring
from diagnoses.services.verifying import verify

_LOOKS = 9
# Forty people; a study has ten events and a patient thirty; one event in fifty failed.
_FILL = """
INSERT INTO diagnoses_auditevent (action, actor_id, actor_name, actor_roles, address, object_type, object_id, detail,
    event, action_code, outcome, patient, study, model_version)
SELECT CASE WHEN n %% 3 = 0 THEN 'study_viewed' ELSE 'picture_viewed' END, n %% 40, 'clinician-' || n %% 40,
    'clinician',
    '192.0.2.' || n %% 40, 'study', md5('study' || n / 10)::uuid::text, '{"page": "study"}', '110103', 'R',
    CASE WHEN n %% 50 = 7 THEN 4 ELSE 0 END, md5('patient' || n / 30)::uuid::text, md5('study' || n / 10)::uuid, ''
FROM generate_series(%s, %s) n
"""
_AT_ONCE = 50_000


def fill_record(until: int) -> float:
    """Have so many events in the record and in its chain; how many were sealed in a second."""
    have = AuditEvent.objects.count()
    with connection.cursor() as cursor:
        for first in range(have, until, _AT_ONCE):
            cursor.execute(_FILL, [first, min(first + _AT_ONCE, until) - 1])
    started = time.perf_counter()
    sealed = anchoring.seal()
    rate = sealed / (time.perf_counter() - started)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return rate


def look_at_record() -> dict[str, float]:
    """Each page of an auditor's, in milliseconds: the median of several looks, after one that does not count."""
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        browser = Client()
        browser.force_login(_auditor())
        return {name: _milliseconds(browser, address, query) for name, (address, query) in _pages().items()}


def go_through_record() -> dict[str, float]:
    """Verify all of it, and write all of it as JSON lines: how many events in a second."""
    count = AuditEvent.objects.count()
    started = time.perf_counter()
    verdict = verify(stream_chain(), (), {})
    verified = time.perf_counter()
    assert verdict.is_clean, verdict.found
    lines = sum(1 for _ in audit_json_lines(stream_audit({})))
    exported = time.perf_counter()
    return {
        "verified_events_per_second": count / (verified - started),
        "exported_events_per_second": lines / (exported - verified),
    }


def _auditor() -> User:
    user, _ = User.objects.get_or_create(username="auditor", defaults={"is_staff": True})
    user.groups.add(Group.objects.get(name=Role.AUDITOR))
    return user


def _pages() -> dict[str, tuple[str, Mapping[str, str]]]:
    events = reverse("admin:diagnoses_auditevent_changelist")
    some = AuditEvent.objects.exclude(study=None).order_by("id")[4_000]
    return {
        "newest": (events, {}),
        "last": (events, {"p": "100"}),
        "of a person": (events, {"who": some.actor_name}),
        "of a patient": (events, {"patient": some.patient}),
        "of an address": (events, {"address": some.address}),
        "failures": (events, {"failed": "0"}),
        "of no patient": (events, {"patient": str(uuid.UUID(int=0))}),
        "of no address": (events, {"address": "198.51.100.1"}),
        "of no object": (events, {"object_id": "nothing"}),
        "who saw a study": (reverse("admin:diagnoses_auditevent_seen", args=[some.study]), {}),
    }


def _milliseconds(browser: Client, address: str, query: Mapping[str, str]) -> float:
    def look() -> float:
        started = time.perf_counter()
        answer = browser.get(address, query)
        assert answer.status_code == 200, (address, query, answer.status_code)
        return (time.perf_counter() - started) * 1000

    look()
    return statistics.median(look() for _ in range(_LOOKS))
