"""API tokens: made, used, revoked."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import ApiToken
from diagnoses.models.audit import AuditAction
from diagnoses.models.token import PREFIX, Scope
from diagnoses.selectors.tokens import digest_of, tokens_of

USUAL_DAYS = 90
MOST_DAYS = 365
_SECRET_BYTES = 32
_SHOWN_CHARACTERS = len(PREFIX) + 6


@dataclass(frozen=True)
class NewToken:
    """A token just made. The secret is shown once and kept nowhere."""

    token: ApiToken
    secret: str


@transaction.atomic
def create_token(
    *, actor: Actor, user: User, name: str, scopes: Collection[Scope] = tuple(Scope), days: int = USUAL_DAYS
) -> NewToken:
    """A token for a user that opens some things for so many days. Raises ValueError for none or more than a year."""
    if not 1 <= days <= MOST_DAYS or not scopes:
        raise ValueError(f"a token has a scope and lasts 1 to {MOST_DAYS} days")
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        start=secret[:_SHOWN_CHARACTERS],
        digest=digest_of(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        expires_at=timezone.now() + timedelta(days=days),
    )
    audit.record(
        AuditAction.TOKEN_CREATED,
        actor,
        token,
        user=user.get_username(),
        start=token.start,
        scopes=token.scopes,
        days=days,
    )
    return NewToken(token, secret)


def mark_used(*, token: ApiToken) -> None:
    """Note that it was used today; once a day, so that not each request writes."""
    today = timezone.localdate()
    if token.last_used_on != today:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=today)


@transaction.atomic
def revoke_token(*, actor: Actor, token: ApiToken) -> bool:
    """Have it open nothing from now on; False where it was revoked before."""
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        return False
    audit.record(AuditAction.TOKEN_REVOKED, actor, token, user=token.user.get_username(), start=token.start)
    return True


@transaction.atomic
def revoke_tokens_of(*, actor: Actor, user: User) -> int:
    """Revoke all that a user has, as when the account is deactivated; how many those were."""
    return sum(revoke_token(actor=actor, token=token) for token in tokens_of(user).select_related("user"))
