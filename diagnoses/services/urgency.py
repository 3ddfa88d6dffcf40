"""Saying that studies are urgent, or that they are not any more."""

import uuid
from collections.abc import Collection
from functools import partial

from django.db import transaction

from diagnoses import audit, notices
from diagnoses.audit import Actor, AuditEntry
from diagnoses.models import Job, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.services.notifying import tell_of_urgent
from diagnoses.states import JobStatus


def set_urgency(*, actor: Actor, studies: Collection[Study], urgent: bool) -> int:
    """Make these studies urgent or not, and what of them still waits with them: how many were changed."""
    with transaction.atomic():
        # Not for their keys, which rows that others write meanwhile point to.
        locked = Study.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
        changed = list(locked.filter(pk__in=[study.pk for study in studies], urgent=not urgent))
        if not changed:
            return 0
        ids = [study.pk for study in changed]
        Study.objects.filter(pk__in=ids).update(urgent=urgent)
        audit.record_all(AuditEntry(AuditAction.URGENCY_CHANGED, actor, study, {"urgent": urgent}) for study in changed)
        _take_along(ids)
        notices.tell(ids)
        if urgent:
            _tell_of_answers(ids)
        # A job that somebody held just then is either being read now, or was only rung for.
        transaction.on_commit(partial(_take_along, ids), robust=True)
    return len(changed)


def _tell_of_answers(study_ids: Collection[uuid.UUID]) -> None:
    """Say of what was answered before its study became urgent what would have been said at its end."""
    answered = Job.objects.filter(image__study__in=study_ids, status=JobStatus.DONE).exclude(purpose=Purpose.SHADOW)
    tell_of_urgent(list(answered.select_related("image__study__subject")))


def _take_along(study_ids: Collection[uuid.UUID]) -> None:
    """Have the queued jobs of these studies be as urgent as they are, without waiting for anybody."""
    with transaction.atomic():
        queued = Job.objects.filter(image__study__in=study_ids, status=JobStatus.QUEUED)
        free = queued.select_for_update(skip_locked=True, of=("self",)).values_list(
            "pk", "image__study__urgent", "urgent"
        )
        for urgent in (True, False):
            strayed = [pk for pk, wanted, now in free if wanted is urgent and now is not urgent]
            if strayed:
                Job.objects.filter(pk__in=strayed).update(urgent=urgent)
