"""Readings that people sign, for tests."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.audit import user_actor
from diagnoses.models import Image, Job, Reading, Study
from diagnoses.services.profiles import save_profile
from diagnoses.services.signing import Statement, sign_reading


def sign(user: User, image: Image, finding: str = "PNEUMONIA", **said: Any) -> Reading:
    """A reading of an image, signed."""
    return sign_reading(actor=user_actor(user), image=image, statement=Statement(finding, **said))


def post(browser: Client, image: Image, **said: Any) -> Any:
    """The same through the page's form."""
    return browser.post(reverse("sign", args=[image.pk]), said)


def read_first(user: User) -> None:
    """From here on answers are hidden from the user until they have signed."""
    save_profile(user=user, actor=user_actor(user), reads_first=True)


def image_of(study: Study) -> Image:
    return study.images.get()


def job_of(study: Study) -> Job:
    return Job.objects.get(image__study=study)
