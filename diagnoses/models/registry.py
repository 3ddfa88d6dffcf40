"""What reads: versions of models, and the workers that serve them."""

from django.db import models
from django.db.models.functions import Now


class ModelVersion(models.Model):
    """A trained model as its card describes it. Threshold and temperature travel with the weights."""

    name = models.CharField(max_length=64)
    version = models.CharField(max_length=32)
    architecture = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64, unique=True)
    preprocessing_version = models.CharField(max_length=32)
    threshold = models.FloatField(help_text="Calibrated probability from which the label is pneumonia.")
    temperature = models.FloatField(help_text="The raw score is divided by it before the sigmoid.")
    card = models.JSONField(help_text="The whole card that came with the weights.")
    registered_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name", "version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="model_version_unique")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Worker(models.Model):
    """A process that reads. Its row says what it has loaded and when it was last heard."""

    name = models.CharField(max_length=128, unique=True)
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="workers")
    engine = models.CharField(max_length=16)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
