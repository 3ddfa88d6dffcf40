"""Attempts to sign in that failed, and invitations to choose a password."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class FailedAttempts(models.Model):
    """How often it failed of late. Neither names nor addresses stand here: `key` is a keyed hash of them."""

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "failed attempts"

    def __str__(self) -> str:
        return f"{self.failures} failures"


class Invitation(models.Model):
    """A link with which a user chooses a password, once. Of the link itself only a hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Invitation of {self.user_id}"
