"""Model versions as they are shipped, what reads by whose choice, and the workers that serve it. All on record."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext, gettext_noop

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import ModelChange, ModelVersion, Worker
from diagnoses.models.audit import AuditAction
from diagnoses.models.registry import SITE_NAME, ChangeKind, Standing
from diagnoses.selectors.registry import can_read_here, live_model_version

SITE = Actor(None, SITE_NAME)
"""Acts where an installation ships other models than before."""

_ACTIONS = {
    ChangeKind.PROMOTE: AuditAction.MODEL_PROMOTED,
    ChangeKind.ROLL_BACK: AuditAction.MODEL_ROLLED_BACK,
    ChangeKind.SUCCEED: AuditAction.MODEL_SUCCEEDED,
    ChangeKind.SHADOW_START: AuditAction.SHADOW_STARTED,
    ChangeKind.SHADOW_STOP: AuditAction.SHADOW_STOPPED,
}
_STANDINGS = {ChangeKind.SHADOW_START: Standing.SHADOW, ChangeKind.SHADOW_STOP: Standing.CANDIDATE}
_MADE_LIVE_AFRESH = (ChangeKind.PROMOTE, ChangeKind.SUCCEED)
_FORGET_WORKERS_AFTER = timedelta(days=1)


class RegistryError(Exception):
    """What was asked of the registry cannot be; the text says why and what to do."""


def register_model_version(*, card: dict[str, Any]) -> ModelVersion:
    """The version that a card describes, added where it is new: as a candidate, so that it replaces nothing.

    Raises RegistryError where its name and version are taken by another card: past answers name that version.
    """
    sha256 = _sha256_of(card)
    fields = ("architecture", "weights_sha256", "preprocessing_version", "threshold", "temperature")
    version, _ = ModelVersion.objects.get_or_create(
        name=card["name"],
        version=card["version"],
        defaults={
            "card": card,
            "card_sha256": sha256,
            "band_low": card["band"]["low"],
            "band_high": card["band"]["high"],
            **{field: card[field] for field in fields},
        },
    )
    if version.card_sha256 != sha256:
        raise RegistryError(
            f"{version} is registered with another card ({version.card_sha256[:12]}), which past answers name. A model "
            "that was trained or calibrated again needs a new version in its card."
        )
    return version


@transaction.atomic
def sync_shipped(*, cards: Sequence[dict[str, Any]]) -> list[str]:
    """Register what this installation ships, and make sure that something reads. What was done, in words.

    A version that is new never replaces a live one that is still shipped. Where nothing is live the site's model
    starts; where the live one is gone another takes over, since otherwise nothing would be read. Raises RegistryError.
    """
    shipped = {register_model_version(card=card).pk for card in sorted(cards, key=_age_of)}
    versions = _locked_versions()
    for version in versions:
        if version.available != (version.pk in shipped):
            version.available = version.pk in shipped
            version.save(update_fields=["available"])
    notes = [f"{version} is registered." for version in versions if version.available]
    return [*notes, *_stop_lost_shadow(versions), *_ensure_live(versions)]


def default_model() -> tuple[str, str] | None:
    """Name and version of the live model, for workers to look for its files; None before any is live."""
    live = live_model_version()
    return (live.name, live.version) if live else None


@transaction.atomic
def promote(*, version: ModelVersion, actor: Actor, reason: str) -> None:
    """Read new studies with this version from now on, by its own threshold, temperature and band.

    Raises RegistryError for the live version, one that nothing here can read with, and without a reason.
    """
    wanted, live = _locked(version), _locked_live()
    if wanted.is_live:
        raise RegistryError(gettext("{model} is the default already.").format(model=wanted))
    _check_usable(wanted)
    _change(wanted, ChangeKind.PROMOTE, actor, reason, replaced=live)


@transaction.atomic
def roll_back(*, actor: Actor, reason: str) -> ModelVersion:
    """Make the version the default again that the live one replaced, and give it back. Raises RegistryError.

    Going back twice goes back two steps, and not to and fro.
    """
    live = _locked_live()
    made_live = live and live.changes.filter(kind__in=_MADE_LIVE_AFRESH).order_by("-id").first()
    if not made_live or not made_live.replaced:
        raise RegistryError(gettext("The default replaced no other version, so there is none to go back to."))
    before = _locked(made_live.replaced)
    _check_usable(before)
    _change(before, ChangeKind.ROLL_BACK, actor, reason, replaced=live)
    return before


@transaction.atomic
def start_shadow(*, version: ModelVersion, actor: Actor, reason: str) -> None:
    """Have this version read each new image too, seen by nobody but the comparison. Raises RegistryError."""
    wanted = _locked(version)
    if wanted.is_live:
        raise RegistryError(
            gettext("{model} is the default: a shadow is another version beside it.").format(model=wanted)
        )
    if shadow := next((other for other in _locked_versions() if other.standing == Standing.SHADOW), None):
        raise RegistryError(
            gettext("{model} runs as shadow already. Stop it before you start another.").format(model=shadow)
        )
    _check_usable(wanted)
    _change(wanted, ChangeKind.SHADOW_START, actor, reason)


@transaction.atomic
def stop_shadow(*, actor: Actor, reason: str) -> ModelVersion:
    """Let the shadow read no new images, and give it back. What it has read stays. Raises RegistryError."""
    shadow = next((version for version in _locked_versions() if version.standing == Standing.SHADOW), None)
    if shadow is None:
        raise RegistryError(gettext("No version runs as shadow."))
    _change(shadow, ChangeKind.SHADOW_STOP, actor, reason)
    return shadow


@transaction.atomic
def report_worker(*, name: str, model_versions: Collection[ModelVersion], engine: str) -> None:
    """Say that a worker is alive and has its models. Workers unheard for a day are forgotten."""
    Worker.objects.filter(seen_at__lt=Now() - _FORGET_WORKERS_AFTER).delete()
    worker, _ = Worker.objects.update_or_create(name=name, defaults={"engine": engine, "seen_at": Now()})
    worker.model_versions.set(model_versions)


def remove_worker(*, name: str) -> None:
    """Say that a worker has stopped on purpose."""
    Worker.objects.filter(name=name).delete()


def _sha256_of(card: dict[str, Any]) -> str:
    canonical = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _age_of(card: dict[str, Any]) -> tuple[str, list[int]]:
    """Sorts the versions of a name from old to new: 1.10 after 1.9."""
    return card["name"], [int(number) for number in re.findall(r"\d+", card["version"])]


def _stop_lost_shadow(versions: Iterable[ModelVersion]) -> list[str]:
    lost = [version for version in versions if version.standing == Standing.SHADOW and not version.available]
    for version in lost:
        _change(version, ChangeKind.SHADOW_STOP, SITE, gettext_noop("Its files are not shipped any more."))
    return [f"{version} stopped as shadow: its files are not shipped any more." for version in lost]


def _ensure_live(versions: Sequence[ModelVersion]) -> list[str]:
    live = next((version for version in versions if version.is_live), None)
    if live and live.available:
        return []
    successor = _newest(versions, live.name if live else "") or _newest(versions, settings.CXR_MODEL)
    if successor is None:
        raise RegistryError(f"No version of {settings.CXR_MODEL!r} is shipped. Check CXR_MODEL and CXR_MODELS_DIR.")
    if live is None:
        _change(successor, ChangeKind.PROMOTE, SITE, gettext_noop("The site's first model, by its setting CXR_MODEL."))
        return [f"{successor} is what new studies are read with."]
    reason = gettext_noop("The files of the one before are not shipped any more.")
    _change(successor, ChangeKind.SUCCEED, SITE, reason, replaced=live)
    return [f"{successor} takes over from {live}, whose files are not shipped any more."]


def _newest(versions: Iterable[ModelVersion], name: str) -> ModelVersion | None:
    of_name = [version for version in versions if version.available and version.name == name]
    return max(of_name, key=lambda version: (version.registered_at, version.pk), default=None)


def _locked_versions() -> list[ModelVersion]:
    """All versions, with their rows locked until the transaction ends: of several changes at once, one goes first.

    The lock leaves alone those who only refer to a version, so that studies are taken in and read meanwhile.
    """
    return list(ModelVersion.objects.select_for_update(no_key=True).order_by("pk"))


def _change(
    version: ModelVersion, kind: ChangeKind, actor: Actor, reason: str, *, replaced: ModelVersion | None = None
) -> None:
    """Write the new standing, its history and its audit event; the rows are locked. Raises RegistryError."""
    if not reason.strip():
        raise RegistryError(gettext("Say why: a change of what reads needs a reason."))
    if replaced:
        # First, since the database allows one live version at any moment.
        ModelVersion.objects.filter(pk=replaced.pk).update(standing=Standing.CANDIDATE)
    version.standing = _STANDINGS.get(kind, Standing.LIVE)
    version.save(update_fields=["standing"])
    ModelChange.objects.create(version=version, replaced=replaced, kind=kind, by=actor.name, reason=reason.strip())
    before = str(replaced) if replaced else ""
    audit.record(_ACTIONS[kind], actor, version, version=str(version), replaced=before, reason=reason.strip())


def _locked(version: ModelVersion) -> ModelVersion:
    return next(row for row in _locked_versions() if row.pk == version.pk)


def _locked_live() -> ModelVersion | None:
    return next((row for row in _locked_versions() if row.is_live), None)


def _check_usable(version: ModelVersion) -> None:
    """A version that nothing can read with would leave all that is sent in unread."""
    if not version.available:
        words = gettext("The files of {model} are not shipped with this installation. Install them first.")
        raise RegistryError(words.format(model=version))
    if not can_read_here(version):
        words = gettext("No worker has {model} loaded. Restart the workers; if that does not help, their log says why.")
        raise RegistryError(words.format(model=version))
