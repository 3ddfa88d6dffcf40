"""Pausing the AI, and having it go on."""

from django.db import connection, transaction
from django.utils.translation import gettext as _

from diagnoses import audit, queue
from diagnoses.audit import Actor
from diagnoses.models import PauseChange
from diagnoses.models.audit import AuditAction
from diagnoses.selectors import pausing


class PauseError(Exception):
    """There is nothing to change; the text says why and what to do."""


def pause_ai(*, actor: Actor, reason: str) -> PauseChange:
    """Let no worker take anything up from now on. What one has in hand comes to its end, within seconds.

    Raises PauseError where the AI is paused already, or without a reason.
    """
    return _change(actor, AuditAction.AI_PAUSED, paused=True, reason=reason)


def resume_ai(*, actor: Actor, reason: str) -> PauseChange:
    """Let the workers go on, and ring for what has waited.

    Raises PauseError where the AI is not paused, or without a reason.
    """
    return _change(actor, AuditAction.AI_RESUMED, paused=False, reason=reason)


def _change(actor: Actor, action: AuditAction, *, paused: bool, reason: str) -> PauseChange:
    if not reason.strip():
        raise PauseError(_("Say why; the reason stays on record and is shown on every page."))
    with transaction.atomic():
        _let_no_other_change()
        before = pausing.current_pause()
        if paused and before:
            raise PauseError(_("The AI is paused already, by %(name)s. See the reason below.") % {"name": before.by})
        if not paused and not before:
            raise PauseError(_("The AI is not paused any more: somebody has let it go on."))
        change = PauseChange.objects.create(paused=paused, by=actor.name, reason=reason.strip())
        change.refresh_from_db()
        audit.record(action, actor, change, reason=change.reason)
        transaction.on_commit(pausing.forget)
        if not paused:
            transaction.on_commit(queue.ring, robust=True)
    return change


def _let_no_other_change() -> None:
    """Until the transaction ends: of two at once, the later one sees what the first one did."""
    with connection.cursor() as cursor:
        # Not the table itself: the application's role may add to it and no more, which is too little to lock it so.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('diagnoses_pausechange', 0))")
