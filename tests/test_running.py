"""What the single machine's site tells its processes, and who starts it."""

import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from dotenv import dotenv_values

from cxrsite import restore
from cxrsite.env import Environment
from cxrsite.run import (
    Options,
    StartError,
    _leave_environment,
    _preparing,
    _told,
    make_environment,
    manage,
    names_of,
    warnings_of,
)
from diagnoses.management.commands.restore import NOTHING_RESTORED


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("CXR_HTTPS", "CXR_MFA_ROLES"):
        monkeypatch.delenv(name, raising=False)
    return make_environment(Options("127.0.0.1", 8000, tmp_path), [])


def test_the_key_of_the_audit_is_told_to_the_scheduler_alone(environment: dict[str, str]) -> None:
    told = {name: _told(name, environment) for name in ("web server", "worker", "scheduler")}
    assert [name for name, values in told.items() if "CXR_AUDIT_KEY" in values] == ["scheduler"]
    assert "CXR_AUDIT_KEY" in environment
    assert all("CXR_SECRET_KEY" in values for values in told.values())


def test_a_site_that_its_own_checks_find_unsafe_is_not_started() -> None:
    environment = {**os.environ, "REDIS_URL": "redis://redis.example/0"}
    first, *others = _preparing(environment)
    with pytest.raises(StartError, match=r"`manage.py migrate` failed:(.|\n)*diagnoses\.E003"):
        manage(first, environment)
    # They have been made by then.
    assert all("--skip-checks" in command for command in others)


def test_older_keys_that_a_restore_brought_open_what_they_sealed(tmp_path: Path) -> None:
    (tmp_path / "old_secret_keys").write_text("an older key")
    environment = make_environment(Options("127.0.0.1", 8000, tmp_path), [])
    for name in ("web server", "worker", "scheduler"):
        assert _told(name, environment)["CXR_SECRET_KEY_OLD"] == "an older key"


@pytest.mark.parametrize(("status", "stay"), [(0, True), (1, True), (-9, True), (NOTHING_RESTORED, False)])
def test_the_secrets_that_a_restore_brought_stay_unless_nothing_was_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, stay: bool
) -> None:
    keys, var = tmp_path / "keys", tmp_path / "var"
    keys.mkdir()
    (keys / "secret_key").write_text("the site's own")
    monkeypatch.setenv("CXR_VAR_DIR", str(var))
    monkeypatch.setattr(restore, "start_servers", lambda *_: [])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], status))
    assert restore.main([str(tmp_path), str(keys)]) == status
    # What the environment needs is made where there is nothing; what was brought is what came.
    kept = (var / "secret_key").read_text() if (var / "secret_key").exists() else ""
    assert (kept == "the site's own") is stay


@pytest.mark.parametrize(
    "value", ["St. Mary's Hospital", "a\\b\\'c\\", "${HOME}", "$${HOME:-x}$", '"Khoa Nhi" # 1', "Bệnh viện", " a\nb "]
)
def test_what_a_second_terminal_reads_is_what_the_site_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    told = {"CXR_SITE_NAME": value, "CXR_TIME_ZONE": "Asia/Ho_Chi_Minh"}
    with ExitStack() as stack:
        _leave_environment(tmp_path, told, stack)
        assert Environment(_env_file=tmp_path / "site.env").site_name == value
        assert dotenv_values(tmp_path / "site.env") == told


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_site_that_only_this_machine_reaches_warns_of_nothing(environment: dict[str, str], host: str) -> None:
    assert warnings_of(Options(host, 8000, Path()), environment) == []


def _interfaces() -> dict[str, list[Any]]:
    addresses = {
        "lo": [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
        "eth0": [(socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7"), (socket.AF_INET6, "fe80::7%eth0")],
        "eth1": [(socket.AF_PACKET, "00:00:5e:00:53:01")],
    }
    return {name: [SimpleNamespace(family=f, address=a) for f, a in found] for name, found in addresses.items()}


@pytest.mark.parametrize(
    ("host", "more"), [("0.0.0.0", ["192.0.2.7"]), ("::", ["192.0.2.7", "[2001:db8::7]"]), ("192.0.2.9", ["192.0.2.9"])]
)
def test_a_site_answers_to_the_addresses_by_which_others_reach_it_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, more: list[str]
) -> None:
    def no_such_name(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.delenv("CXR_ALLOWED_HOSTS", raising=False)
    monkeypatch.setattr(psutil, "net_if_addrs", _interfaces)
    monkeypatch.setattr(socket, "gethostname", lambda: "reader")
    monkeypatch.setattr(socket, "getfqdn", lambda: "reader.hospital.example")
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    options = Options(host, 8000, tmp_path)
    environment = make_environment(options, [])
    own = ["reader", "reader.hospital.example"] if host != "192.0.2.9" else []
    assert environment["CXR_ALLOWED_HOSTS"].split(",") == ["localhost", "127.0.0.1", "[::1]", *own, *more]
    [words] = names_of(options, environment)
    assert all(name in words for name in more)


def test_a_site_that_only_this_machine_reaches_names_nothing(environment: dict[str, str]) -> None:
    assert names_of(Options("127.0.0.1", 8000, Path()), environment) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_a_site_that_others_reach_says_what_it_lacks(environment: dict[str, str], host: str) -> None:
    options = Options(host, 8000, Path())
    clear, factor = warnings_of(options, environment)
    assert host in clear
    assert "CXR_HTTPS=1" in clear
    assert "CXR_MFA_ROLES" in factor
    assert warnings_of(options, environment | {"CXR_HTTPS": "1", "CXR_MFA_ROLES": "administrator"}) == []
