"""Telling people that all they sent is answered, or of something urgent, in the transaction that makes it so.

Of several workers that end the last readings of a batch at once, none sees the others' ends before they are committed.
So each that may have ended the last one takes the batch's lock, and looks again: the last to get it sees them all.
Locks and rows are always taken in the same order, and after them nothing else, so that nobody waits in a circle.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from diagnoses.models import Job, Notification, Study
from diagnoses.models.job import Label, Purpose
from diagnoses.models.people import NoticeKind
from diagnoses.roles import MAY_SEE_EVERY_STUDY
from diagnoses.selectors.hiding import who_reads_first
from diagnoses.states import JobStatus

_BATCH_LOCKS = 0x637873  # "cxs": the first half of the key of each batch's lock


def tell_of_ends(jobs: Sequence[Job]) -> None:
    """Write what is to be said of jobs that have just ended. Each thing is said once to each."""
    shown = [job for job in jobs if job.purpose != Purpose.SHADOW]
    senders = {_batch_of(job.image.study): job.image.study for job in shown if job.purpose == Purpose.PRIMARY}
    _tell_of_batches(senders)
    tell_of_urgent([job for job in shown if job.status == JobStatus.DONE and job.image.study.urgent])


def tell_of_urgent(jobs: Sequence[Job]) -> None:
    """Write what is to be said of the answers to urgent studies: that pneumonia is likely.

    To those who read first it is said of every answer, since that there is a notice would tell theirs.
    """
    if not jobs:
        return
    likely = _likely_pneumonia(jobs)
    every = set(who_holds(MAY_SEE_EVERY_STUDY).values_list("pk", flat=True))
    notices = []
    for study in {job.image.study_id: job.image.study for job in jobs}.values():
        readers = every | {study.submitted_by_id}
        blind = who_reads_first(readers)
        told = blind | (readers if study.pk in likely else set())
        for user in told:
            kind = NoticeKind.URGENT_ANSWERED if user in blind else NoticeKind.URGENT_PNEUMONIA
            notice = _notice(user, kind, str(study.pk))
            notice.study = study
            notices.append(notice)
    Notification.objects.bulk_create(sorted(notices, key=_place), ignore_conflicts=True)


def mark_seen(*, user: User, notice_id: int | None = None) -> None:
    """One notice of the user counts as seen, or all of them."""
    unseen = Notification.objects.filter(user=user, seen_at=None)
    (unseen if notice_id is None else unseen.filter(pk=notice_id)).update(seen_at=Now())


def _tell_of_batches(studies: dict[UUID, Study]) -> None:
    # Where something still waits, its end will be the last, and no lock is needed to know.
    ended = studies.keys() - _with_jobs(studies.keys(), JobStatus.QUEUED)
    if not ended:
        return
    _lock(sorted(ended))
    ended -= _with_jobs(ended, JobStatus.QUEUED, JobStatus.RUNNING)
    notices = [_notice(studies[key].submitted_by_id, NoticeKind.BATCH_DONE, str(key)) for key in sorted(ended)]
    for notice in notices:
        study = studies[UUID(notice.about)]
        notice.study = None if study.batch else study
        notice.created_at = timezone.now()
    # More may be sent in the same go when what came before is answered. Then this is said again, in the same row.
    Notification.objects.bulk_create(
        sorted(notices, key=_place),
        update_conflicts=True,
        unique_fields=["user", "kind", "about"],
        update_fields=["created_at", "seen_at", "mailed_at"],
    )


def _with_jobs(batches: Collection[UUID], *statuses: JobStatus) -> set[UUID]:
    """Those of these batches, or studies that came alone, that have jobs in such a state."""
    if not batches:
        return set()
    of_batch = Q(image__study__batch__in=batches) | Q(image__study__in=batches, image__study__batch=None)
    jobs = Job.objects.filter(of_batch, status__in=statuses).exclude(purpose=Purpose.SHADOW).order_by()
    return set(jobs.values_list(Coalesce("image__study__batch", "image__study"), flat=True).distinct())


def _lock(batches: Iterable[UUID]) -> None:
    with connection.cursor() as cursor:
        for key in sorted({batch.int & 0x7FFFFFFF for batch in batches}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_BATCH_LOCKS, key])


def _likely_pneumonia(jobs: Sequence[Job]) -> set[UUID]:
    """The studies of those jobs in whose images pneumonia is likely."""
    found = Job.objects.filter(pk__in=[job.pk for job in jobs], label=Label.PNEUMONIA, indeterminate=False)
    return set(found.values_list("image__study", flat=True))


def who_holds(right: str) -> QuerySet[User]:
    """Those who were given it; that a superuser has every right is no wish to be told."""
    app, codename = right.split(".")
    rights = Permission.objects.filter(content_type__app_label=app, codename=codename)
    by_group, own = rights.filter(group__user=OuterRef("pk")), rights.filter(user=OuterRef("pk"))
    return User.objects.filter(Exists(by_group) | Exists(own), is_active=True)


def _batch_of(study: Study) -> UUID:
    """What was sent in one go, or else the study alone."""
    return study.batch or study.pk


def _notice(user_id: int, kind: NoticeKind, about: str) -> Notification:
    return Notification(user_id=user_id, kind=kind, about=about)


def _place(notice: Notification) -> tuple[Any, ...]:
    return notice.user_id, notice.kind, notice.about
