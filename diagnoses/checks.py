"""System checks: what must hold before the site starts."""

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Concern

from diagnoses.accounts.leaked import ListError, check_list
from diagnoses.imaging import syscalls


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


@register()
def servers_elsewhere_are_reached_by_tls(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Patients' data crosses no network that anybody else could listen on, or answer on."""
    if settings.CXR_TRUSTED_NETWORK:
        return []
    found: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    options = database["OPTIONS"]
    hosts = str(options.get("host") or database["HOST"])
    if not all(map(_is_here, hosts.split(","))) and options.get("sslmode") != "verify-full":
        hint = "Give CXR_DATABASE_CA, or sslmode=verify-full&sslrootcert=… in DATABASE_URL"
        found.append(_unsafe("PostgreSQL", hosts, hint, "diagnoses.E002"))
    redis = urlsplit(settings.CELERY_BROKER_URL)
    if redis.scheme == "redis" and not _is_here(redis.hostname or ""):
        hint = "Make REDIS_URL begin with rediss:// and give CXR_REDIS_CA"
        found.append(_unsafe("Redis", redis.hostname or "", hint, "diagnoses.E003"))
    if settings.CXR_STORAGE == "s3":
        endpoint = urlsplit(settings.CXR_S3_ENDPOINT or "")
        if endpoint.scheme == "http" and not _is_here(endpoint.hostname or ""):
            hint = "Make CXR_S3_ENDPOINT begin with https://"
            found.append(_unsafe("The files' bucket", endpoint.hostname or "", hint, "diagnoses.E004"))
    mail_is_safe = settings.EMAIL_USE_SSL or settings.EMAIL_USE_TLS or _is_here(settings.EMAIL_HOST)
    if settings.CXR_SENDS_MAIL and not mail_is_safe:
        hint = "Make CXR_EMAIL_URL begin with smtp+tls:// or smtps://"
        found.append(_unsafe("The mail server", settings.EMAIL_HOST, hint, "diagnoses.E005"))
    return found


@register(Tags.security)
def redis_asks_for_a_password(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Who reaches a Redis without one may ring for ever, or hear who works when."""
    url = urlsplit(settings.CELERY_BROKER_URL)
    if not url.scheme.startswith("redis") or "socket" in url.scheme or url.password:
        return []
    hint = "Set requirepass there, and REDIS_URL=rediss://:password@host:port/0."
    return [Concern("Redis is reached over the network without a password.", hint=hint, id="diagnoses.W002")]


@register(Tags.security)
def decoders_are_filtered(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Without it a file that takes a decoder over could read and end the other processes of the site's account."""
    if syscalls.are_filtered_here():
        return []
    hint = "Use a kernel with seccomp, on x86_64 or aarch64; see docs/sandbox.md."
    return [Concern("System calls of what decodes files are not filtered here.", hint=hint, id="diagnoses.W003")]


@register()
def leaked_passwords_can_be_looked_up(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """A list of another kind would find nothing, and nobody would be told why."""
    if settings.CXR_LEAKED_PASSWORDS is None:
        return []
    try:
        check_list(settings.CXR_LEAKED_PASSWORDS)
    except (OSError, ListError) as error:
        said = f"{settings.CXR_LEAKED_PASSWORDS} is not used as a list of leaked passwords: {error}."
        hint = "Give one of Pwned Passwords, SHA-1, ordered by hash, or none; see docs/accounts.md."
        return [Error(said, hint=hint, id="diagnoses.E006")]
    return []


def _unsafe(server: str, host: str, hint: str, number: str) -> CheckMessage:
    accepted = "or, where nobody else is on the network in between, set CXR_TRUSTED_NETWORK=1; see docs/database.md."
    return Error(f"{server} on {host} is not reached by TLS that verifies it.", hint=f"{hint}, {accepted}", id=number)


def _is_here(host: str) -> bool:
    """Whether it is this machine: a socket, or the loopback."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
