"""Tokens with which programs use the API."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

PREFIX = "cxr_"
"""Begins every token, so that whoever looks for leaked secrets knows one by sight."""


class Scope(models.TextChoices):
    """What a token opens, within what its user may do."""

    READ = "read", _("Read: studies, pictures, reports")
    SEND = "send", _("Send studies")
    DECIDE = "decide", _("Decide: override refusals, ask for readings")


class ApiToken(models.Model):
    """A user's token. What is kept of its secret is a digest: no copy of the rows opens anything.

    The secret is 256 random bits, so a plain hash is as good as a slow one: there is nothing to guess.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=64)
    start = models.CharField(max_length=16, editable=False, help_text="The token's first characters, to know it by.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope))
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    last_used_on = models.DateField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "API token"
        default_permissions = ("view",)
        permissions = [("revoke_apitoken", "Can revoke API tokens of others")]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    @property
    def scope_words(self) -> str:
        """Its scopes, as people read them."""
        return "; ".join(str(Scope(scope).label) for scope in self.scopes)
