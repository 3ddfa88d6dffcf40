"""What a worker's process has loaded, and when it does not start. Readers without a network stand for the models."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.models.functions import Now

from diagnoses.models import ModelVersion, Worker
from diagnoses.models.registry import Standing
from diagnoses.selectors.registry import a_worker_is_alive
from diagnoses.services.registry import register_model_version
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_card, make_job, make_model_version, make_study
from workers import runtime as running
from workers.inference import selfcheck
from workers.inference.card import Card, ModelError
from workers.management.commands import worker
from workers.runtime import Runtime

pytestmark = pytest.mark.django_db


class Shelf:
    """A folder of models: `broken` ones have a good card, and files that cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: dict[str, Exception] = {}
        self.asked: list[tuple[str, str, bool]] = []

    def put(self, card: dict[str, Any]) -> Path:
        folder = self.folder / f"{card['name']}-{card['version']}"
        folder.mkdir()
        (folder / "card.json").write_text(Card.model_validate(card).model_dump_json())
        return folder

    def reader(self, folder: Path, engine: str = "auto", *, refuse_outside_age: bool = False) -> SimpleNamespace:
        self.asked.append((folder.name, engine, refuse_outside_age))
        if error := self.broken.get(folder.name):
            raise error
        card = Card.model_validate_json((folder / "card.json").read_bytes())
        return SimpleNamespace(card=card, engine=engine)


@pytest.fixture
def shelf(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    settings.CXR_MODELS_DIR, settings.CXR_ENGINE = tmp_path / "models", "openvino"
    settings.CXR_MODELS_DIR.mkdir()
    shelf = Shelf(settings.CXR_MODELS_DIR)
    monkeypatch.setattr(running, "close_old_connections", lambda: None)
    monkeypatch.setattr(running, "Reader", shelf.reader)
    monkeypatch.setattr(selfcheck, "Reader", shelf.reader)
    return shelf


@pytest.fixture
def live(shelf: Shelf) -> ModelVersion:
    """What new studies are read with, shipped and registered."""
    return make_live(shelf, make_card(version="1.0.0"))


def make_live(shelf: Shelf, card: dict[str, Any]) -> ModelVersion:
    shelf.put(card)
    # As `register_models` would: with the defaults that a card's file is read with.
    version = register_model_version(card=Card.model_validate(card).model_dump(mode="json"))
    version.standing, version.available = Standing.LIVE, True
    version.save()
    return version


def test_every_shipped_model_is_loaded_before_the_first_job(shelf: Shelf, live: ModelVersion) -> None:
    shelf.put(make_card("xception"))
    runtime = Runtime()
    assert [str(version) for version in runtime.model_versions] == ["mobilenet_v2 1.0.0", "xception 2.0.0"]
    assert {pk: str(reader.card.name) for pk, reader in runtime.readers.items()} == {
        live.pk: "mobilenet_v2",
        ModelVersion.objects.get(name="xception").pk: "xception",
    }


def test_a_retrained_model_that_is_shipped_is_loaded_and_replaces_nothing(shelf: Shelf, live: ModelVersion) -> None:
    shelf.put(make_card(version="2.0.0", threshold=0.3, band={"low": 0.25, "high": 0.35}))
    Runtime()
    assert ModelVersion.objects.get(standing=Standing.LIVE) == live
    assert ModelVersion.objects.get(version="2.0.0").standing == Standing.CANDIDATE


@pytest.mark.parametrize("error", [ModelError("reader.bin is not the one"), RuntimeError("the engine broke")])
def test_a_broken_model_that_is_not_the_default_is_logged_and_left_out(
    shelf: Shelf, live: ModelVersion, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    folder = shelf.put(make_card("xception"))
    shelf.broken[folder.name] = error
    assert Runtime().model_versions == [live]
    assert f"The model in {folder} cannot be used" in caplog.text
    assert str(error) in caplog.text


def test_a_model_whose_card_contradicts_what_is_registered_is_left_out(shelf: Shelf, live: ModelVersion) -> None:
    make_model_version("xception", threshold=0.55)
    shelf.put(make_card("xception"))
    assert Runtime().model_versions == [live]


def test_without_a_good_default_model_no_worker_starts(shelf: Shelf, live: ModelVersion) -> None:
    shelf.put(make_card("xception"))
    shelf.broken["mobilenet_v2-1.0.0"] = ModelError("reader.bin is not the one")
    with pytest.raises(ModelError, match="default model is not among those"):
        Runtime()


@pytest.mark.parametrize(("choice", "refuse"), [("warn", False), ("refuse", True)])
def test_the_sites_choice_for_other_ages_reaches_each_reader(
    shelf: Shelf, live: ModelVersion, settings: LazySettings, choice: str, *, refuse: bool
) -> None:
    settings.CXR_OUTSIDE_AGE = choice
    shelf.put(make_card("xception"))
    Runtime()
    assert [asked[1:] for asked in shelf.asked] == [("openvino", refuse)] * 2


def test_a_worker_that_starts_puts_right_what_others_left(
    shelf: Shelf, live: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtime, "_stay_present", lambda _: None)
    study = make_study(User.objects.create(username="sender"), live)
    job = make_job(study, live, JobStatus.RUNNING, lease_until=Now() - timedelta(seconds=1), attempts=1)
    Runtime().start()
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED


def test_a_worker_reports_all_that_it_has_loaded(shelf: Shelf, live: ModelVersion) -> None:
    shelf.put(make_card("xception"))
    runtime = Runtime()
    runtime._report()
    reported = Worker.objects.get()
    assert (reported.name, reported.engine) == (runtime.worker_name, "openvino")
    assert set(reported.model_versions.all()) == set(runtime.model_versions)
    assert a_worker_is_alive()


# The check before the start.


def test_the_check_passes_where_the_default_model_is_good(
    shelf: Shelf, live: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    good, broken = shelf.folder / "mobilenet_v2-1.0.0", shelf.put(make_card("xception"))
    shelf.broken[broken.name] = ModelError("reader.bin is not the one")
    assert selfcheck.main("openvino", str(good), str(broken)) == 0
    out, err = capsys.readouterr()
    assert "mobilenet_v2 1.0.0 on openvino" in out
    assert f"reader.bin is not the one\nGoing on without the model in {broken}." in err
    assert selfcheck.main("openvino", str(broken), str(good)) == 1


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the checks that `manage.py worker` makes; none fails."""
    made: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        made.append(command[3:])
        return SimpleNamespace(returncode=0)

    def become(_program: str, command: list[str], environment: dict[str, str]) -> None:
        assert "celery" in command
        assert environment == {**os.environ, "CELERY_SKIP_CHECKS": "1"}, "they were made, and seen, before"
        raise SystemExit("became Celery's worker")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(os, "execve", become)
    # The command gives its connection back; the test's own must stay.
    monkeypatch.setattr(worker, "connection", SimpleNamespace(close=lambda: None))
    return made


def test_the_default_model_is_checked_first_wherever_it_lies(
    shelf: Shelf, live: ModelVersion, checks: list[list[str]]
) -> None:
    earlier = shelf.put(make_card("densenet121"))
    with pytest.raises(SystemExit, match="became Celery"):
        call_command("worker")
    assert checks == [["openvino", str(shelf.folder / "mobilenet_v2-1.0.0"), str(earlier)]]


def test_a_worker_on_a_site_without_a_default_model_says_what_to_run(shelf: Shelf, checks: list[list[str]]) -> None:
    shelf.put(make_card())
    with pytest.raises(CommandError, match="Run register_models first"):
        call_command("worker")
    assert checks == []


def test_a_worker_without_the_default_models_files_says_which_they_are(shelf: Shelf, checks: list[list[str]]) -> None:
    make_model_version(version="1.0.0", standing=Standing.LIVE)
    shelf.put(make_card(version="2.0.0"))
    (shelf.put(make_card("xception")) / "card.json").write_text("{}")
    with pytest.raises(CommandError, match=r"mobilenet_v2 1\.0\.0, has no good card in .*register_models"):
        call_command("worker")
    assert checks == []


def test_a_database_that_is_away_is_waited_for(
    shelf: Shelf, live: ModelVersion, checks: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def ask() -> tuple[str, str]:
        if not waits:
            raise OperationalError("connection refused")
        return live.name, live.version

    monkeypatch.setattr(worker, "default_model", ask)
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=waits.append, monotonic=lambda: sum(waits)))
    with pytest.raises(SystemExit, match="became Celery"):
        call_command("worker")
    assert waits == [2.0]


def test_a_database_that_stays_away_ends_the_start_with_words(
    shelf: Shelf, checks: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> tuple[str, str]:
        raise OperationalError("connection refused")

    waits: list[float] = []
    monkeypatch.setattr(worker, "default_model", ask)
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=waits.append, monotonic=lambda: sum(waits)))
    with pytest.raises(CommandError, match="The database is out of reach: connection refused"):
        call_command("worker")
    assert sum(waits) == 62.0
