"""Model versions and the workers that serve them, as they report themselves."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from diagnoses.models import ModelVersion, Worker

_FORGET_WORKERS_AFTER = timedelta(days=1)


class RegistryError(Exception):
    """A card contradicts what is registered; the text says how."""


def register_model_version(*, card: dict[str, Any]) -> ModelVersion:
    """The version that a card describes, added where it is new.

    Raises RegistryError where its name and version are taken by other weights, or its weights by another version.
    """
    same = ModelVersion.objects.filter(weights_sha256=card["weights_sha256"]).first()
    if same and (same.name, same.version) != (card["name"], card["version"]):
        raise RegistryError(f"These weights are registered as {same} already. Past answers name that version.")
    known = ModelVersion.objects.filter(name=card["name"], version=card["version"]).first()
    if known and known.weights_sha256 != card["weights_sha256"]:
        raise RegistryError(
            f"{known} is registered with other weights ({known.weights_sha256[:12]}). A retrained model needs a new "
            "version in its card."
        )
    fields = ("architecture", "preprocessing_version", "threshold", "temperature")
    version, _ = ModelVersion.objects.update_or_create(
        weights_sha256=card["weights_sha256"],
        defaults={"name": card["name"], "version": card["version"], "card": card, **{f: card[f] for f in fields}},
    )
    return version


@transaction.atomic
def report_worker(*, name: str, model_version: ModelVersion, engine: str) -> None:
    """Say that a worker is alive and has its model. Workers unheard for a day are forgotten."""
    Worker.objects.filter(seen_at__lt=Now() - _FORGET_WORKERS_AFTER).delete()
    Worker.objects.update_or_create(
        name=name, defaults={"model_version": model_version, "engine": engine, "seen_at": Now()}
    )


def remove_worker(*, name: str) -> None:
    """Say that a worker has stopped on purpose."""
    Worker.objects.filter(name=name).delete()
