"""Which models are known, which one reads, and whether any worker is there to do it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from diagnoses.models import ModelChange, ModelVersion, Worker
from diagnoses.models.audit import AuditAction
from diagnoses.models.registry import ChangeKind, Standing
from diagnoses.selectors.health import is_ready
from diagnoses.selectors.registry import (
    a_worker_is_alive,
    available_model_versions,
    can_read_here,
    live_model_version,
)
from diagnoses.selectors.registry import (
    model_version as find_model_version,
)
from diagnoses.services.registry import (
    RegistryError,
    register_model_version,
    remove_worker,
    report_worker,
    sync_shipped,
)
from tests.diagnoses.factory import last_event, make_card, make_model_version
from workers.inference.card import Card

pytestmark = pytest.mark.django_db


def heard(name: str, *model_versions: ModelVersion, **ago: float) -> None:
    report_worker(name=name, model_versions=model_versions, engine="openvino")
    Worker.objects.filter(name=name).update(seen_at=Now() - timedelta(**ago))


def standings() -> dict[str, tuple[str, bool]]:
    """Standing and availability of each version."""
    return {str(version): (version.standing, version.available) for version in ModelVersion.objects.all()}


def test_a_registered_model_is_what_its_card_says() -> None:
    card = make_card(threshold=0.3, temperature=2.5, band={"low": 0.2, "high": 0.35})
    version = register_model_version(card=card)
    for field in ("name", "version", "architecture", "weights_sha256", "preprocessing_version"):
        assert getattr(version, field) == card[field]
    assert (version.threshold, version.temperature, version.band_low, version.band_high) == (0.3, 2.5, 0.2, 0.35)
    assert version.card == card


def test_a_model_that_was_only_registered_reads_nothing_yet() -> None:
    version = register_model_version(card=make_card())
    assert (version.standing, version.available) == (Standing.CANDIDATE, False)
    assert live_model_version() is None


def test_registering_a_model_again_adds_nothing_however_its_card_is_ordered() -> None:
    first = register_model_version(card=make_card())
    again = register_model_version(card=dict(reversed(make_card().items())))
    assert again == first
    assert again.registered_at == first.registered_at
    assert ModelVersion.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "0" * 64},
        {"threshold": 0.25},
        {"temperature": 3.0},
        {"band": {"low": 0.45, "high": 0.55}},
        {"limits": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_card_under_a_known_version_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    before = register_model_version(card=make_card())
    with pytest.raises(RegistryError, match=r"mobilenet_v2 2\.0\.0 is registered with another card .* new version"):
        register_model_version(card=make_card() | change)
    after = ModelVersion.objects.get()
    assert (after.card, after.threshold, after.card_sha256) == (before.card, before.threshold, before.card_sha256)


def test_a_retrained_model_stands_beside_the_old_one_with_a_threshold_of_its_own() -> None:
    register_model_version(card=make_card(version="1.0.0"))
    register_model_version(card=make_card(version="1.1.0", threshold=0.25, band={"low": 0.2, "high": 0.3}))
    rows = ModelVersion.objects.values_list("version", "threshold", "band_low", "band_high")
    assert set(rows) == {("1.0.0", 0.5, 0.4, 0.6), ("1.1.0", 0.25, 0.2, 0.3)}


def test_the_same_weights_calibrated_anew_are_a_new_version() -> None:
    old = register_model_version(card=make_card(version="1.0.0", weights_sha256="0" * 64))
    new = register_model_version(card=make_card(version="1.0.1", weights_sha256="0" * 64, temperature=1.7))
    old.refresh_from_db()
    assert (old.temperature, new.temperature) == (1.0, 1.7)
    assert old.weights_sha256 == new.weights_sha256


@pytest.mark.parametrize("standing", [Standing.LIVE, Standing.SHADOW])
def test_the_database_knows_one_live_version_and_one_shadow_at_most(standing: Standing) -> None:
    make_model_version(version="1.0.0", standing=standing)
    with pytest.raises(IntegrityError, match=f"model_version_one_{standing}"), transaction.atomic():
        make_model_version(version="2.0.0", standing=standing)


def test_a_fresh_site_starts_with_the_newest_version_of_its_own_model(settings: LazySettings) -> None:
    settings.CXR_MODEL = "mobilenet_v2"
    cards = [make_card(version="1.10.0"), make_card(version="1.9.0"), make_card(name="xception", version="7.0.0")]
    notes = sync_shipped(cards=cards)
    assert standings() == {
        "mobilenet_v2 1.10.0": ("live", True),
        "mobilenet_v2 1.9.0": ("candidate", True),
        "xception 7.0.0": ("candidate", True),
    }
    assert notes[-1] == "mobilenet_v2 1.10.0 is what new studies are read with."
    change = ModelChange.objects.get()
    assert (change.kind, change.by, change.replaced, str(change.version)) == (
        ChangeKind.PROMOTE,
        "site",
        None,
        "mobilenet_v2 1.10.0",
    )


def test_a_retrained_model_never_replaces_the_live_one_unasked(settings: LazySettings) -> None:
    settings.CXR_MODEL = "mobilenet_v2"
    old = make_card(version="1.0.0")
    sync_shipped(cards=[old])
    notes = sync_shipped(cards=[old, make_card(version="2.0.0", threshold=0.3)])
    assert standings() == {"mobilenet_v2 1.0.0": ("live", True), "mobilenet_v2 2.0.0": ("candidate", True)}
    assert notes == ["mobilenet_v2 1.0.0 is registered.", "mobilenet_v2 2.0.0 is registered."]
    assert ModelChange.objects.count() == 1


def test_another_setting_does_not_replace_the_live_model_either(settings: LazySettings) -> None:
    cards = [make_card(), make_card(name="xception")]
    settings.CXR_MODEL = "mobilenet_v2"
    sync_shipped(cards=cards)
    settings.CXR_MODEL = "xception"
    sync_shipped(cards=cards)
    assert str(live_model_version()) == "mobilenet_v2 2.0.0"


def test_where_the_live_model_is_gone_its_next_version_takes_over_on_record(settings: LazySettings) -> None:
    settings.CXR_MODEL = "xception"
    live = make_model_version(version="1.0.0", standing=Standing.LIVE)
    notes = sync_shipped(cards=[make_card(version="1.1.0"), make_card(name="xception")])
    assert standings() == {
        "mobilenet_v2 1.0.0": ("candidate", False),
        "mobilenet_v2 1.1.0": ("live", True),
        "xception 2.0.0": ("candidate", True),
    }
    assert notes[-1] == "mobilenet_v2 1.1.0 takes over from mobilenet_v2 1.0.0, whose files are not shipped any more."
    change = ModelChange.objects.get()
    assert (change.kind, change.by, change.replaced) == (ChangeKind.SUCCEED, "site", live)
    event = last_event(AuditAction.MODEL_SUCCEEDED)
    assert (event.actor_name, event.detail["version"], event.detail["replaced"]) == (
        "site",
        "mobilenet_v2 1.1.0",
        "mobilenet_v2 1.0.0",
    )


def test_where_no_version_of_the_live_model_is_left_the_sites_model_takes_over(settings: LazySettings) -> None:
    settings.CXR_MODEL = "xception"
    make_model_version(standing=Standing.LIVE)
    sync_shipped(cards=[make_card(name="xception")])
    assert str(live_model_version()) == "xception 2.0.0"


def test_a_shadow_that_is_gone_stops(settings: LazySettings) -> None:
    settings.CXR_MODEL = "mobilenet_v2"
    make_model_version(standing=Standing.LIVE)
    make_model_version(name="xception", standing=Standing.SHADOW)
    notes = sync_shipped(cards=[make_card()])
    assert standings()["xception 2.0.0"] == ("candidate", False)
    assert notes[-1] == "xception 2.0.0 stopped as shadow: its files are not shipped any more."
    assert ModelChange.objects.get().kind == ChangeKind.SHADOW_STOP


def test_a_model_that_is_shipped_again_is_available_again(settings: LazySettings) -> None:
    settings.CXR_MODEL = "mobilenet_v2"
    cards = [make_card(), make_card(name="xception")]
    for shipped in (cards, cards[:1], cards):
        sync_shipped(cards=shipped)
    assert standings() == {"mobilenet_v2 2.0.0": ("live", True), "xception 2.0.0": ("candidate", True)}


def test_an_installation_without_any_model_of_the_site_is_told(settings: LazySettings) -> None:
    settings.CXR_MODEL = "densenet121"
    with pytest.raises(RegistryError, match=r"No version of 'densenet121' is shipped\. Check CXR_MODEL"):
        sync_shipped(cards=[make_card()])
    assert standings() == {}, "half of it was kept"


def test_the_available_versions_are_listed_with_the_live_one_first() -> None:
    make_model_version(name="densenet121")
    make_model_version(name="mobilenet_v2", version="1.0.0", available=False)
    live = make_model_version(name="xception", standing=Standing.LIVE)
    shadow = make_model_version(name="mobilenet_v2", standing=Standing.SHADOW)
    assert available_model_versions()[0] == live
    assert [str(version) for version in available_model_versions()[1:]] == ["densenet121 2.0.0", str(shadow)]


def test_a_version_is_found_by_its_name_and_number() -> None:
    version = make_model_version()
    assert find_model_version("mobilenet_v2", "2.0.0") == version
    with pytest.raises(ModelVersion.DoesNotExist):
        find_model_version("mobilenet_v2", "3.0.0")


def write_cards(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"folder-of-{name}").mkdir(parents=True)
        (folder / f"folder-of-{name}" / "card.json").write_text(Card.model_validate(make_card(name)).model_dump_json())


def test_the_shipped_models_are_registered_by_their_cards_wherever_they_lie(
    settings: LazySettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CXR_MODELS_DIR, settings.CXR_MODEL = tmp_path, "mobilenet_v2"
    write_cards(tmp_path, "mobilenet_v2", "xception")
    call_command("register_models")
    assert capsys.readouterr().out.splitlines() == [
        "mobilenet_v2 2.0.0 is registered.",
        "xception 2.0.0 is registered.",
        "mobilenet_v2 2.0.0 is what new studies are read with.",
    ]


def test_a_site_without_its_model_is_told_which_setting_to_look_at(settings: LazySettings, tmp_path: Path) -> None:
    settings.CXR_MODELS_DIR, settings.CXR_MODEL = tmp_path, "no_such_model"
    write_cards(tmp_path, "mobilenet_v2")
    with pytest.raises(CommandError, match=r"no model 'no_such_model' in .*Check CXR_MODEL"):
        call_command("register_models")


def test_a_card_that_contradicts_what_is_registered_stops_with_its_words(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.CXR_MODELS_DIR, settings.CXR_MODEL = tmp_path, "mobilenet_v2"
    make_model_version(threshold=0.45)
    write_cards(tmp_path, "mobilenet_v2")
    with pytest.raises(CommandError, match="registered with another card"):
        call_command("register_models")


def test_a_worker_that_reports_is_on_the_list_once(model_version: ModelVersion) -> None:
    for _ in range(3):
        report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    worker = Worker.objects.get()
    assert (worker.name, worker.engine) == ("reader-1", "openvino")
    assert list(worker.model_versions.all()) == [model_version]


def test_a_worker_reports_all_that_it_has_loaded_and_nothing_that_it_has_not(model_version: ModelVersion) -> None:
    other, third = make_model_version(name="xception"), make_model_version(name="densenet121")
    heard("reader-1", model_version, other)
    heard("reader-1", model_version, third)
    assert set(Worker.objects.get().model_versions.all()) == {model_version, third}


def test_a_worker_that_is_heard_again_keeps_the_time_of_its_start(model_version: ModelVersion) -> None:
    heard("reader-1", model_version, minutes=5)
    before = Worker.objects.get()
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    after = Worker.objects.get()
    assert after.started_at == before.started_at
    assert after.seen_at > before.seen_at


def test_a_worker_unheard_for_a_day_is_forgotten(model_version: ModelVersion) -> None:
    heard("yesterdays", model_version, hours=25)
    heard("this-mornings", model_version, hours=23)
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    assert set(Worker.objects.values_list("name", flat=True)) == {"this-mornings", "reader-1"}


def test_a_worker_that_stops_on_purpose_leaves_the_list_alone_of_all(model_version: ModelVersion) -> None:
    for name in ("reader-1", "reader-2"):
        report_worker(name=name, model_versions=[model_version], engine="openvino")
    remove_worker(name="reader-1")
    assert Worker.objects.get().name == "reader-2"


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (15, True), (21, False), (86_000, False)])
def test_a_worker_counts_as_alive_for_twenty_seconds(
    model_version: ModelVersion, seconds: float, *, alive: bool
) -> None:
    heard("reader-1", model_version, seconds=seconds)
    assert a_worker_is_alive() is alive


def test_a_worker_without_the_live_model_does_not_count_as_alive(model_version: ModelVersion) -> None:
    heard("reader-1", make_model_version(version="9.0.0"), make_model_version(name="densenet121"), seconds=0)
    assert a_worker_is_alive() is False
    heard("reader-2", model_version, seconds=0)
    assert a_worker_is_alive() is True


def test_a_version_can_be_read_with_where_its_files_are_and_a_worker_has_it(model_version: ModelVersion) -> None:
    other = make_model_version(name="xception")
    assert can_read_here(other), "no worker is there yet: the files must do"
    heard("reader-1", model_version, seconds=0)
    assert not can_read_here(other), "the worker could not load it"
    heard("reader-2", other, seconds=0)
    assert can_read_here(other)
    other.available = False
    assert not can_read_here(other)


def test_a_site_that_never_had_a_worker_has_none_alive() -> None:
    assert a_worker_is_alive() is False


def test_a_site_with_its_servers_and_a_worker_is_ready(model_version: ModelVersion) -> None:
    assert is_ready() is False
    heard("reader-1", model_version, seconds=0)
    assert is_ready() is True


@pytest.mark.usefixtures("dead_broker")
def test_a_site_without_its_doorbell_is_not_ready(model_version: ModelVersion) -> None:
    heard("reader-1", model_version, seconds=0)
    assert is_ready() is False
