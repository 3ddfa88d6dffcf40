"""How much of what they may send people have sent."""

from django.conf import settings
from django.db import models


class UploadCount(models.Model):
    """What one user has sent in the minute and on the day of their last upload: one row each, written over."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+", editable=False
    )
    minute = models.DateTimeField(editable=False)
    files = models.PositiveIntegerField(editable=False)
    day = models.DateField(editable=False, help_text="In UTC.")
    sent_bytes = models.PositiveBigIntegerField(editable=False)

    def __str__(self) -> str:
        return f"{self.files} files, {self.sent_bytes} bytes"
