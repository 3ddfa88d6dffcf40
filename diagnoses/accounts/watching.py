"""What must happen whenever an account changes, by whatever way: sessions end, and it goes on record."""

from typing import Any

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from diagnoses import audit
from diagnoses.accounts import timeouts
from diagnoses.accounts.codes import take_code
from diagnoses.accounts.factors import note_added, note_factor, note_removed
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.second_factors import FACTORS, has_second_factor
from diagnoses.services.inviting import void_invitations
from diagnoses.services.lockout import forget_failed_codes, forget_failures
from diagnoses.services.sessions import end_sessions_of
from diagnoses.services.tokens import revoke_tokens_of

_FLAGS = ("is_staff", "is_superuser")
_WATCHED = ("is_active", "email", *_FLAGS)
_BEFORE = "_cxr_before"


@receiver(user_logged_in)
def _begin(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """By whatever way it was done."""
    timeouts.begin(request.session)
    note_factor(request, user)
    forget_failures(name=user.get_username(), address=request.META.get("REMOTE_ADDR") or "")


@receiver(pre_save, sender=User)
def _look_before(sender: Any, instance: User, update_fields: Any = None, **_: Any) -> None:
    """What is not written stays as it is, whatever the instance says that was read before somebody else changed it."""
    instance.__dict__.pop(_BEFORE, None)
    written = [name for name in _WATCHED if update_fields is None or name in update_fields]
    # A hash that is only made anew, at sign-in, comes without the password being set.
    is_new_password = (update_fields is None or "password" in update_fields) and _is_set(instance)
    if instance.pk is not None and (written or is_new_password):
        before = User.objects.filter(pk=instance.pk).values("pk", *written).first()
        instance.__dict__[_BEFORE] = before and (before, is_new_password)


@receiver(post_save, sender=User)
def _act_on_changes(sender: Any, instance: User, **_: Any) -> None:
    noted = instance.__dict__.pop(_BEFORE, None)
    if not noted:
        return
    before, is_new_password = noted
    changed = {name: getattr(instance, name) for name in before if before[name] != getattr(instance, name)}
    if changed.get("is_active") is False:
        revoke_tokens_of(actor=_actor(), user=instance)
        ended = end_sessions_of(user=instance)
        _record(AuditAction.ACCOUNT_DEACTIVATED, instance, sessions=ended)
    if changed.get("is_active"):
        _record(AuditAction.ACCOUNT_REACTIVATED, instance)
    if flags := {name: changed[name] for name in _FLAGS if name in changed}:
        _record(AuditAction.PERMISSIONS_CHANGED, instance, **flags)
    if is_new_password or {"is_active", "email"} & changed.keys():
        void_invitations(user=instance)
    if is_new_password:
        forget_failed_codes(account=instance.pk)
        ended = end_sessions_of(user=instance, but=_own_session(instance))
        _record(AuditAction.PASSWORD_CHANGED, instance, sessions=ended)


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def _rights_changed(sender: Any, instance: Any, action: str, model: Any, pk_set: set[int] | None, **_: Any) -> None:
    """Roles, a user's own rights, or what a role may. Before a clearing: after it nothing tells what there was."""
    if action == "pre_clear" or (action in ("post_add", "post_remove") and pk_set):
        others = [] if pk_set is None else [str(other) for other in model.objects.filter(pk__in=pk_set).order_by("pk")]
        _record(AuditAction.PERMISSIONS_CHANGED, instance, how=action.partition("_")[2], of=others)


@receiver(post_save, sender=Authenticator)
def _factor_saved(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    """Sessions that were begun without it end."""
    if created and instance.type in FACTORS:
        end_sessions_of(user=instance.user, but=_own_session(instance.user))


@receiver(post_delete, sender=Authenticator)
def _factor_deleted(sender: Any, instance: Any, **_: Any) -> None:
    if instance.type in FACTORS and User.objects.filter(pk=instance.user_id).exists():
        end_sessions_of(user=instance.user, but=_own_session(instance.user))


@receiver(authenticator_added)
def _factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    audit.record(AuditAction.FACTOR_ADDED, audit.actor_of(request), user, type=authenticator.type)
    if authenticator.type == Authenticator.Type.TOTP:
        take_code(authenticator, request.POST.get("code", ""))  # what set the app up is used, and with it all before
    if authenticator.type in FACTORS:
        note_added(request.session)
        request.session.cycle_key()


@receiver(authenticator_removed)
def _factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    audit.record(AuditAction.FACTOR_REMOVED, audit.actor_of(request), user, type=authenticator.type)
    if not has_second_factor(user):
        note_removed(request.session)


def _is_set(user: User) -> bool:
    return getattr(user, "_password", None) is not None


def _own_session(user: User) -> str | None:
    """The key of the session in which the user does this themselves."""
    request = context.request
    return request.session.session_key if request is not None and request.user == user else None


def _record(action: AuditAction, target: Any, **detail: Any) -> None:
    audit.record(action, _actor(), target, **detail)


def _actor() -> audit.Actor:
    request = context.request
    return audit.Actor(None, "") if request is None else audit.actor_of(request)
