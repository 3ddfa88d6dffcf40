"""Which models are known, which one reads, and whether any worker is there to do it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from diagnoses.models import ModelVersion, Worker
from diagnoses.selectors.health import is_ready
from diagnoses.selectors.registry import a_worker_is_alive, active_model_version
from diagnoses.services.registry import RegistryError, register_model_version, remove_worker, report_worker
from tests.conftest import SHIPPED_MODEL
from tests.diagnoses.factory import make_model_version
from workers.inference.card import read_card

pytestmark = pytest.mark.django_db


def shipped_card(**changes: Any) -> dict[str, Any]:
    return read_card(SHIPPED_MODEL).model_dump(mode="json") | changes


def heard(name: str, model_version: ModelVersion, **ago: float) -> None:
    report_worker(name=name, model_version=model_version, engine="openvino")
    Worker.objects.filter(name=name).update(seen_at=Now() - timedelta(**ago))


def test_a_registered_model_is_what_its_card_says() -> None:
    card = shipped_card()
    version = register_model_version(card=card)
    for field in ("name", "version", "architecture", "weights_sha256", "preprocessing_version"):
        assert getattr(version, field) == card[field]
    assert (version.threshold, version.temperature) == (card["threshold"], card["temperature"])
    assert version.card == card


def test_registering_a_model_again_adds_nothing() -> None:
    first = register_model_version(card=shipped_card())
    again = register_model_version(card=shipped_card())
    assert again == first
    assert again.registered_at == first.registered_at
    assert ModelVersion.objects.count() == 1


def test_other_weights_under_a_known_version_are_refused() -> None:
    register_model_version(card=shipped_card())
    with pytest.raises(RegistryError, match=r"mobilenet_v2 1\.0\.0 is registered with other weights .* new version"):
        register_model_version(card=shipped_card(weights_sha256="0" * 64))
    assert ModelVersion.objects.get().weights_sha256 == shipped_card()["weights_sha256"]


def test_a_retrained_model_stands_beside_the_old_one_with_a_threshold_of_its_own() -> None:
    old = register_model_version(card=shipped_card())
    new = register_model_version(card=shipped_card(version="1.1.0", weights_sha256="0" * 64, threshold=0.25))
    assert set(ModelVersion.objects.values_list("version", "threshold")) == {
        ("1.0.0", old.threshold),
        ("1.1.0", new.threshold),
    }
    assert old.threshold != new.threshold == 0.25


def test_the_same_weights_under_a_new_version_do_not_rewrite_what_was_read_before() -> None:
    version = register_model_version(card=shipped_card())
    with suppress(RegistryError):
        register_model_version(card=shipped_card(version="1.1.0"))
    version.refresh_from_db()
    assert version.version == "1.0.0"


def test_the_active_version_is_the_last_registered_of_the_sites_model(settings: LazySettings) -> None:
    settings.CXR_MODEL = "mobilenet_v2"
    make_model_version(version="1.0.0")
    last = make_model_version(version="0.9.0")
    make_model_version(name="densenet121", version="7.0.0")
    assert active_model_version() == last


def test_a_site_whose_model_nobody_registered_has_no_active_version(settings: LazySettings) -> None:
    settings.CXR_MODEL = "densenet121"
    make_model_version(name="mobilenet_v2")
    assert active_model_version() is None


def test_the_shipped_models_are_registered_by_their_cards(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("register_models")
    active = active_model_version()
    assert active
    assert active.weights_sha256 == shipped_card()["weights_sha256"]
    assert f"{active} is registered." in capsys.readouterr().out


def test_a_site_without_its_model_is_told_which_setting_to_look_at(settings: LazySettings) -> None:
    settings.CXR_MODEL = "no_such_model"
    with pytest.raises(CommandError, match=r"no model 'no_such_model' in .*Check CXR_MODEL"):
        call_command("register_models")


def test_a_worker_that_reports_is_on_the_list_once(model_version: ModelVersion) -> None:
    for _ in range(3):
        report_worker(name="reader-1", model_version=model_version, engine="openvino")
    worker = Worker.objects.get()
    assert (worker.name, worker.model_version, worker.engine) == ("reader-1", model_version, "openvino")


def test_a_worker_that_is_heard_again_keeps_the_time_of_its_start(model_version: ModelVersion) -> None:
    heard("reader-1", model_version, minutes=5)
    before = Worker.objects.get()
    report_worker(name="reader-1", model_version=model_version, engine="openvino")
    after = Worker.objects.get()
    assert after.started_at == before.started_at
    assert after.seen_at > before.seen_at


def test_a_worker_unheard_for_a_day_is_forgotten(model_version: ModelVersion) -> None:
    heard("yesterdays", model_version, hours=25)
    heard("this-mornings", model_version, hours=23)
    report_worker(name="reader-1", model_version=model_version, engine="openvino")
    assert set(Worker.objects.values_list("name", flat=True)) == {"this-mornings", "reader-1"}


def test_a_worker_that_stops_on_purpose_leaves_the_list_alone_of_all(model_version: ModelVersion) -> None:
    for name in ("reader-1", "reader-2"):
        report_worker(name=name, model_version=model_version, engine="openvino")
    remove_worker(name="reader-1")
    assert Worker.objects.get().name == "reader-2"


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (15, True), (21, False), (86_000, False)])
def test_a_worker_counts_as_alive_for_twenty_seconds(
    model_version: ModelVersion, seconds: float, *, alive: bool
) -> None:
    heard("reader-1", model_version, seconds=seconds)
    assert a_worker_is_alive() is alive


def test_a_worker_that_has_another_model_does_not_count_as_alive(model_version: ModelVersion) -> None:
    heard("reader-1", make_model_version(name="densenet121"), seconds=0)
    assert a_worker_is_alive() is False


def test_a_worker_that_is_too_old_for_what_is_sent_now_does_not_count_as_alive(model_version: ModelVersion) -> None:
    newer = make_model_version(version="9.0.0")
    heard("reader-1", model_version, seconds=0)
    assert a_worker_is_alive() is False
    heard("reader-2", newer, seconds=0)
    assert a_worker_is_alive() is True


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
