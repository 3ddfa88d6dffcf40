"""What the product knows of its users beside their accounts."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from diagnoses.models.department import Department
from diagnoses.models.study import Study


class Language(models.TextChoices):
    """The languages that the product speaks, each in its own words."""

    ENGLISH = "en", "English"
    VIETNAMESE = "vi", "Tiếng Việt"


class Theme(models.TextChoices):
    """How bright the pages are."""

    SYSTEM = "system", _("As the system is set")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Profile(models.Model):
    """What a user has chosen. Without a row everything is as it comes."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="profile", primary_key=True)
    language = models.CharField(max_length=2, choices=Language, blank=True, help_text="Empty: as the browser asks.")
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)
    reads_first = models.BooleanField(default=False, help_text="Answers stay hidden until the user has read.")
    reads_first_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Of the last switch to it."
    )
    wants_mail = models.BooleanField(default=False, help_text="Notices are sent by e-mail, too.")
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, help_text="Its members see what each of them sends."
    )
    history_columns = models.JSONField(default=list, blank=True, help_text="Empty: the usual ones.")

    def __str__(self) -> str:
        return f"Profile of {self.user_id}"


class SavedView(models.Model):
    """A filter that a user has given a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=16, help_text="The address's name of the page that it filters.")
    name = models.CharField(max_length=64)
    query = models.CharField(max_length=2000, blank=True)

    class Meta:
        ordering = ["page", "name"]
        constraints = [models.UniqueConstraint(fields=["user", "page", "name"], name="saved_view_name_unique")]

    def __str__(self) -> str:
        return self.name


class NoticeKind(models.TextChoices):
    """What a user is told of."""

    BATCH_DONE = "batch_done", _("All that was sent is answered")
    URGENT_PNEUMONIA = "urgent_pneumonia", _("Urgent, and likely pneumonia")
    URGENT_ANSWERED = "urgent_answered", _("An urgent study waits for you")
    EXPORT_DONE = "export_done", _("An export is ready")
    EXPORT_FAILED = "export_failed", _("Nothing was exported")
    GLASS_BROKEN = "glass_broken", _("Emergency access was taken")


class Notification(models.Model):
    """Something that a user should hear of, once: in the page, and by e-mail where that is wanted and set up."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=16, choices=NoticeKind)
    study = models.ForeignKey(Study, models.CASCADE, related_name="+", null=True, blank=True)
    about = models.CharField(max_length=64, help_text="The study, batch, export or access that it is about.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "about"], name="notification_once")]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="notification_unseen", condition=models.Q(seen_at=None)),
            models.Index(fields=["id"], name="notification_unmailed", condition=models.Q(mailed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"
