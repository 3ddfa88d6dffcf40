"""System checks: what must hold before the site starts."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Concern


@register()
def catalogues_are_compiled(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Without them every page would be in English, and nobody would be told why."""
    sources = [path for folder in settings.LOCALE_PATHS for path in Path(folder).glob("*/LC_MESSAGES/*.po")]
    return [
        Concern(f"{path} is not compiled.", hint="`make run` does it; see docs/languages.md.", id="diagnoses.W001")
        for path in sources
        if not path.with_suffix(".mo").exists()
    ]


@register()
def media_folder_is_writable(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Pictures that cannot be kept would be refused one by one; better to say so at once."""
    if settings.CXR_STORAGE != "file":
        return []
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.access(folder, os.W_OK | os.X_OK):
        return []
    return [Error(f"{folder} is not writable.", hint="Pictures are kept there; see CXR_VAR_DIR.", id="diagnoses.E001")]


_THIS_HOST = (None, "localhost", "127.0.0.1", "::1")


@register(Tags.security)
def redis_asks_for_a_password(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Who reaches a Redis without one may ring for ever, or hear who works when."""
    url = urlsplit(settings.CELERY_BROKER_URL)
    if not url.scheme.startswith("redis") or "socket" in url.scheme or url.password:
        return []
    hint = "Set requirepass there, and REDIS_URL=rediss://:password@host:port/0."
    return [Concern("Redis is reached over the network without a password.", hint=hint, id="diagnoses.W002")]


@register(Tags.security, deploy=True)
def redis_on_another_host_speaks_tls(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Its password would cross the network in clear. With containers on one host that network is the host's own."""
    url = urlsplit(settings.CELERY_BROKER_URL)
    if url.scheme != "redis" or url.hostname in _THIS_HOST:
        return []
    hint = "Use rediss:// where it is on another host."
    return [Concern("Redis is reached over the network without TLS.", hint=hint, id="diagnoses.W003")]
