"""Starting and stopping: `cxrsite.run` as people run it, and the Makefile's first word to them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests import pictures
from tests.conftest import SHIPPED_MODEL, SHIPPED_MODELS
from tests.integration.site import ROOT, Site, ended_study, is_alive, post_study, wait_until
from workers.inference.card import read_card

ELSEWHERE = "127.0.0.2"
"""This machine too, and not the default."""


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-run-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def fresh(folder: Path) -> Iterator[Site]:
    """A site that never ran."""
    site = Site(folder)
    yield site
    site.destroy()


@dataclass(frozen=True)
class FirstRun:
    """A site that ran once, read a study, and was stopped by Ctrl-C; and what was seen of it."""

    site: Site
    study: str
    score: float
    passwords: dict[str, str]
    secret_key: str
    output: str
    exit_status: int
    survivors: list[psutil.Process]


@pytest.fixture(scope="module")
def first_run(static_files: None) -> Iterator[FirstRun]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-run-"))
    site = Site(folder)
    try:
        site.start()
        with site.client() as client:
            study = post_study(client, [("chest.png", pictures.png(pictures.phantom()))]).json()["id"]
            [image] = ended_study(client, study)["images"]
        secret_key, processes = site.settings["CXR_SECRET_KEY"], site.processes()
        assert len(processes) >= 8, processes
        exit_status = site.stop()
        survivors = [process for process in processes if is_alive(process)]
        score, passwords = image["result"]["score"], dict(site.passwords)
        yield FirstRun(site, study, score, passwords, secret_key, site.output, exit_status, survivors)
    finally:
        site.destroy()
        shutil.rmtree(folder)


@pytest.fixture
def again(first_run: FirstRun) -> Iterator[Site]:
    """The same site, not started yet."""
    yield first_run.site
    first_run.site.destroy()


def sign_in(site: Site, user: str, password: str) -> bool:
    """Whether the page takes this password."""
    with httpx.Client(base_url=site.url, timeout=30) as browser:
        browser.get("/sign-in/").raise_for_status()
        token = browser.cookies["csrftoken"]
        form = {"login": user, "password": password, "csrfmiddlewaretoken": token}
        return browser.post("/sign-in/", data=form).status_code == 302


def assert_all_gone(processes: list[psutil.Process]) -> None:
    try:
        wait_until(lambda: not any(map(is_alive, processes)), 15, "nothing of the site runs any more")
    except AssertionError as error:
        left = [process.cmdline() for process in processes if is_alive(process)]
        raise AssertionError(f"these still run: {left}") from error


def test_the_first_start_names_its_address_and_two_accounts(first_run: FirstRun) -> None:
    assert f"Ready: http://127.0.0.1:{first_run.site.port}" in first_run.output
    assert set(first_run.passwords) == {"clinician", "administrator"}
    assert len(set(first_run.passwords.values())) == 2
    assert all(len(password) >= 16 for password in first_run.passwords.values())
    assert "Traceback" not in first_run.output


def test_a_start_names_the_models_that_it_found_and_the_one_that_reads(first_run: FirstRun) -> None:
    card = read_card(SHIPPED_MODEL)
    for shipped in map(read_card, SHIPPED_MODELS):
        assert f"    {shipped.name} {shipped.version} is registered.\n" in first_run.output
    assert f"    {card.name} {card.version} is what new studies are read with.\n" in first_run.output


def test_ctrl_c_stops_every_process_and_ends_with_status_0(first_run: FirstRun) -> None:
    assert first_run.exit_status == 0
    assert first_run.survivors == []
    assert first_run.output.endswith("Stopping\n")
    assert not (first_run.site.var / "site.env").exists()
    assert not (first_run.site.var / "postgres" / "postmaster.pid").exists()


def test_a_second_start_finds_everything_as_it_was(first_run: FirstRun, again: Site) -> None:
    again.start(HOST=ELSEWHERE)
    assert "passwords are shown" not in again.output
    assert not any(password in again.output for password in first_run.passwords.values())
    assert again.settings["CXR_SECRET_KEY"] == first_run.secret_key
    assert all(sign_in(again, user, password) for user, password in first_run.passwords.items())
    assert not sign_in(again, "clinician", "another password")
    with again.client() as client:
        [image] = ended_study(client, first_run.study)["images"]
        assert image["result"]["score"] == first_run.score
        assert client.get(image["result"]["heatmap_url"]).status_code == 200
        study = post_study(client, [("chest.png", pictures.png(pictures.phantom()))]).json()["id"]
        assert ended_study(client, study)["images"][0]["result"]["score"] == first_run.score
    # And with HOST it listens there, and only there.
    assert again.url == f"http://{ELSEWHERE}:{again.port}"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{again.port}/healthz")
    processes = again.processes()
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    assert_all_gone(processes)


def test_closing_the_terminal_stops_every_process(again: Site) -> None:
    again.start()
    processes = again.processes()
    again.signal(signal.SIGHUP)
    again.wait()
    assert_all_gone(processes)


def test_after_the_site_itself_was_killed_a_start_takes_over_and_its_stop_leaves_nothing(
    first_run: FirstRun, again: Site
) -> None:
    again.start()
    orphans = again.processes()
    others = [process for process in orphans if process.name() != "postgres"]
    psutil.Process(again.supervisor).kill()
    again.wait()
    assert_all_gone(others)  # PostgreSQL may stay, for the next start to take over
    again.start()
    with again.client() as client:
        assert ended_study(client, first_run.study)["images"][0]["status"] == "done"
    processes = again.processes()
    assert again.stop() == 0
    assert_all_gone(orphans + processes)


def test_after_a_power_cut_a_start_finds_its_data_though_another_process_has_the_databases_number(
    first_run: FirstRun, again: Site
) -> None:
    folder = again.var / "postgres"
    lines = [os.getpid(), folder, 1_700_000_000, 5432, folder, "", "1 1", "ready   "]
    (folder / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
    again.start()
    with again.client() as client:
        assert ended_study(client, first_run.study)["images"][0]["status"] == "done"
    assert again.stop() == 0


def test_a_taken_port_is_a_clear_error(fresh: Site) -> None:
    with socket.create_server(("127.0.0.1", fresh.port)):
        assert fresh.launch().wait(30) == 1
    assert f"Cannot listen on 127.0.0.1 port {fresh.port}: Address already in use." in fresh.output
    assert f"make run PORT={fresh.port + 1}" in fresh.output
    assert "Traceback" not in fresh.output
    assert not (fresh.var / "postgres").exists(), "servers were started for nothing"


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_a_clear_error(fresh: Site, port: str) -> None:
    assert fresh.launch(PORT=port).wait(30) == 1
    assert fresh.output == f"PORT={port} is no port: give a number from 1 to 65535.\n"


def test_an_address_that_is_none_of_this_machine_is_a_clear_error(fresh: Site) -> None:
    assert fresh.launch(HOST="192.0.2.1").wait(30) == 1
    assert "Cannot listen on 192.0.2.1" in fresh.output
    assert "Traceback" not in fresh.output


def test_a_name_for_an_address_that_does_not_exist_is_a_clear_error(fresh: Site) -> None:
    assert fresh.launch(HOST="no-such-host.invalid").wait(60) == 1
    assert "Cannot listen on no-such-host.invalid" in fresh.output
    assert "Traceback" not in fresh.output


def test_a_wrong_setting_stops_the_start_and_is_named(fresh: Site) -> None:
    assert fresh.launch(CXR_BATCH_SIZE="abc").wait(60) == 1
    assert re.search(r"CXR_BATCH_SIZE: .*integer", fresh.output), fresh.output
    assert "Traceback" not in fresh.output
    assert "Ready" not in fresh.output
    assert not (fresh.var / "postgres" / "postmaster.pid").exists(), "PostgreSQL was left running"


def test_a_second_site_on_the_same_data_is_refused(site: Site, folder: Path) -> None:
    other = Site(folder)
    try:
        assert other.launch(CXR_VAR_DIR=str(site.var)).wait(30) == 1
        assert f"The site in {site.var} is running already." in other.output
    finally:
        other.destroy()
    assert httpx.get(f"{site.url}/readyz").status_code == 200


def make_python(folder: Path, version: tuple[int, int, int]) -> "subprocess.CompletedProcess[str]":
    """`make python`, in a folder of its own, with a Python that says it is of this version."""
    shutil.copy(ROOT / "Makefile", folder)
    fake = folder / "fake-python"
    shown = ".".join(map(str, version))
    code = f"import sys; sys.version_info = {(*version, 'final', 0)}; exec(sys.argv[1])"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && {{ echo Python {shown}; exit; }}\nexec {sys.executable} -c "{code}" "$2"\n'
    )
    fake.chmod(0o755)
    return subprocess.run(["make", "python", f"PYTHON={fake}"], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 10, 14), (3, 14, 0)])
def test_make_refuses_a_python_that_is_not_supported_and_says_which_is(
    tmp_path: Path, version: tuple[int, int, int]
) -> None:
    done = make_python(tmp_path, version)
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert f"is Python {'.'.join(map(str, version))}." in done.stderr


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)])
def test_make_takes_a_python_that_is_supported(tmp_path: Path, version: tuple[int, int, int]) -> None:
    done = make_python(tmp_path, version)
    assert (done.returncode, done.stderr) == (0, "")


def test_make_without_any_python_says_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(["make", "python", "PYTHON="], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "no python3 was found" in done.stderr
