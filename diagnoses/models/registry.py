"""What reads: versions of models, what became of each, and the workers that serve them."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

SITE_NAME = "site"
"""Who acts where an installation ships other models than before."""


class Standing(models.TextChoices):
    """What a version is to the site."""

    CANDIDATE = "candidate", _("Candidate")
    LIVE = "live", _("Default")
    SHADOW = "shadow", _("Shadow")


class ModelVersion(models.Model):
    """A trained model as its card describes it. Threshold, temperature and band travel with the weights."""

    name = models.CharField(max_length=64)
    version = models.CharField(max_length=32)
    architecture = models.CharField(max_length=64)
    card_sha256 = models.CharField(max_length=64, unique=True, help_text="Of the card, as canonical JSON.")
    weights_sha256 = models.CharField(max_length=64)
    preprocessing_version = models.CharField(max_length=32)
    threshold = models.FloatField(help_text="Calibrated probability from which the label is pneumonia.")
    temperature = models.FloatField(help_text="The raw score is divided by it before the sigmoid.")
    band_low = models.FloatField(help_text="Calibrated probability from which the product cannot tell.")
    band_high = models.FloatField(help_text="Calibrated probability from which it can tell again.")
    card = models.JSONField(help_text="The whole card that came with the weights.")
    registered_at = models.DateTimeField(db_default=Now(), editable=False)
    standing = models.CharField(max_length=9, choices=Standing, default=Standing.CANDIDATE)
    available = models.BooleanField(default=False, help_text="Whether this installation ships its files.")

    class Meta:
        ordering = ["name", "version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_unique"),
            models.UniqueConstraint(
                fields=["standing"], condition=models.Q(standing=Standing.LIVE), name="model_version_one_live"
            ),
            models.UniqueConstraint(
                fields=["standing"], condition=models.Q(standing=Standing.SHADOW), name="model_version_one_shadow"
            ),
        ]
        permissions = [("promote_modelversion", "Can choose the model that reads, and the one beside it")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_live(self) -> bool:
        """Whether new studies are read with it unless their sender chooses another."""
        return self.standing == Standing.LIVE


class ChangeKind(models.TextChoices):
    """What happened to a version's standing."""

    PROMOTE = "promote", _("Made the default")
    ROLL_BACK = "roll_back", _("Rolled back to")
    SUCCEED = "succeed", _("Took over from one that is no longer shipped")
    SHADOW_START = "shadow_start", _("Started as shadow")
    SHADOW_STOP = "shadow_stop", _("Stopped as shadow")


class ModelChange(models.Model):
    """One change of what reads. The database refuses to change or remove it."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="changes")
    replaced = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+", null=True, blank=True)
    kind = models.CharField(max_length=12, choices=ChangeKind)
    by = models.CharField(max_length=150, help_text="The person, or the site itself.")
    reason = models.TextField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.version}"

    @property
    def reason_words(self) -> str:
        """Why, in the reader's language where the site itself gave the reason."""
        return gettext(self.reason) if self.by == SITE_NAME else self.reason


class Worker(models.Model):
    """A process that reads. Its row says what it has loaded and when it was last heard."""

    name = models.CharField(max_length=128, unique=True)
    model_versions = models.ManyToManyField(ModelVersion, related_name="workers")
    engine = models.CharField(max_length=16)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
