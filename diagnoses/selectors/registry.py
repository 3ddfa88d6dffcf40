"""What is registered, what reads, and whether anything does."""

from datetime import timedelta

from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Now

from diagnoses.models import ModelVersion, Worker
from diagnoses.models.registry import Standing

_HEARD_WITHIN = timedelta(seconds=20)


def live_model_version() -> ModelVersion | None:
    """The version that new studies are read with, unless their sender chooses another."""
    return ModelVersion.objects.filter(standing=Standing.LIVE).first()


def shadow_model_version() -> ModelVersion | None:
    """The version that reads beside the live one, for comparison alone."""
    return ModelVersion.objects.filter(standing=Standing.SHADOW).first()


def available_model_versions() -> list[ModelVersion]:
    """The versions that a study can be read with here, the live one first."""
    live_first = Case(When(standing=Standing.LIVE, then=Value(0)), default=Value(1))
    return list(ModelVersion.objects.filter(available=True).order_by(live_first, "name", "version"))


def model_version(name: str, version: str) -> ModelVersion:
    """That version of that model. Raises ModelVersion.DoesNotExist."""
    return ModelVersion.objects.get(name=name, version=version)


def present_workers() -> QuerySet[Worker]:
    """The workers that were heard of lately."""
    return Worker.objects.filter(seen_at__gte=Now() - _HEARD_WITHIN)


def can_read_here(version: ModelVersion) -> bool:
    """Whether its files are shipped, and a worker has it loaded; while no worker is there at all, the files must do."""
    workers = present_workers()
    return version.available and (workers.filter(model_versions=version).exists() or not workers.exists())


def a_worker_is_alive() -> bool:
    """Whether a worker that has the live version loaded was heard of lately."""
    return present_workers().filter(model_versions__standing=Standing.LIVE).exists()
