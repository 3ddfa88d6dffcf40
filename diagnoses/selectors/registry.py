"""What is registered, and whether anything reads."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from diagnoses.models import ModelVersion, Worker

_HEARD_WITHIN = timedelta(seconds=20)


def active_model_version() -> ModelVersion | None:
    """The version that new studies are read with: the last registered of the site's model."""
    return ModelVersion.objects.filter(name=settings.CXR_MODEL).order_by("registered_at", "pk").last()


def a_worker_is_alive() -> bool:
    """Whether a worker that can read what is sent in now was heard of lately."""
    active = active_model_version()
    if active is None:
        return False
    able = Worker.objects.filter(
        model_version__name=active.name, model_version__registered_at__gte=active.registered_at
    )
    return able.filter(seen_at__gte=Now() - _HEARD_WITHIN).exists()
