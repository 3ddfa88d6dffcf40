"""The settings of a site behind HTTPS, each read in a process of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.test_env import GOOD, PASSWORD, ROOT, start

BEHIND_TLS = {
    "DATABASE_URL": f"postgresql://cxr:{PASSWORD}@db.example/cxr?sslmode=verify-full&sslrootcert=system",
    "REDIS_URL": f"rediss://:{PASSWORD}@redis.example/0",
    "CXR_HTTPS": "1",
}
NAMES = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME")


def settings_of(*names: str, **changes: str) -> dict[str, Any]:
    """Some settings of a site with these variables."""
    code = f"import json, cxrsite.settings as s; print(json.dumps({{name: getattr(s, name) for name in {names!r}}}))"
    status, said = start(code, **changes)
    assert status == 0, said
    found: dict[str, Any] = json.loads(said)
    return found


def check(**changes: str) -> tuple[int, str]:
    """`manage.py check --deploy`, as an operator calls it."""
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env={**GOOD, **changes}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_djangos_checks_before_deployment_find_nothing() -> None:
    assert check(**BEHIND_TLS) == (0, "System check identified no issues (2 silenced).\n")


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("redis://redis.example/0", {"W002", "E003"}),
        ("rediss://redis.example/0", {"W002"}),
        (f"redis://:{PASSWORD}@redis.example/0", {"E003"}),
        ("redis://127.0.0.1/0", {"W002"}),
        (f"redis://:{PASSWORD}@localhost/0", set()),
        ("redis+socket:///run/redis.sock", set()),
    ],
)
def test_a_redis_without_password_or_tls_is_warned_of(url: str, ids: set[str]) -> None:
    status, said = check(**BEHIND_TLS | {"REDIS_URL": url})
    assert {name for name in ("W002", "E003") if f"diagnoses.{name}" in said} == ids
    assert status == bool(ids)
    assert PASSWORD not in said


def test_with_https_cookies_belong_to_this_very_host_and_go_over_tls_alone() -> None:
    secure = [name.replace("NAME", "SECURE") for name in NAMES]
    found = settings_of(*NAMES, *secure, **BEHIND_TLS)
    assert [found[name] for name in NAMES] == ["__Host-sessionid", "__Host-csrftoken", "__Host-language"]
    assert all(found[name] for name in secure)
    assert "__Host-" not in str(settings_of(*NAMES, CXR_HTTPS="0"))


def test_no_cookie_of_such_a_name_has_a_domain_or_another_path() -> None:
    # A browser drops one that does.
    found = settings_of("SESSION_COOKIE_NAME", **BEHIND_TLS)
    code = (
        "import django; django.setup(); from django.conf import settings as s;"
        "print([getattr(s, f'{c}_COOKIE_{p}') for c in ('SESSION', 'CSRF', 'LANGUAGE') for p in ('DOMAIN', 'PATH')])"
    )
    status, said = start(code, DJANGO_SETTINGS_MODULE="cxrsite.settings", **BEHIND_TLS)
    assert (status, said) == (0, "[None, '/', None, '/', None, '/']\n")
    assert found


def test_with_https_browsers_keep_to_it_for_a_year_with_all_that_is_below() -> None:
    names = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "CONTENT_SECURITY_POLICY")
    found = settings_of(*names, **BEHIND_TLS)
    assert found["SECURE_HSTS_SECONDS"] == 365 * 24 * 60 * 60
    assert found["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True
    assert found["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["upgrade-insecure-requests"] is True
    plain = settings_of(*names, CXR_HTTPS="0")
    assert (plain["SECURE_HSTS_SECONDS"], plain["SECURE_HSTS_INCLUDE_SUBDOMAINS"]) == (0, False)


def test_nothing_of_django_shows_its_insides_behind_https() -> None:
    status, said = start(CXR_DEBUG="1", **BEHIND_TLS)
    assert status == 1
    assert "  CXR_DEBUG: " in said
    assert start(CXR_DEBUG="1", CXR_HTTPS="0") == (0, "")


def test_celery_takes_nothing_but_json() -> None:
    names = ("CELERY_ACCEPT_CONTENT", "CELERY_TASK_SERIALIZER", "CELERY_WORKER_ENABLE_REMOTE_CONTROL")
    assert list(settings_of(*names).values()) == [["json"], "json", False]


def test_what_an_old_key_signed_is_good_while_that_key_is_named() -> None:
    old, older = "the key of last year, long enough to be one once more", "x" * 50
    code = "SECRET_KEY", "SECRET_KEY_FALLBACKS"
    found = settings_of(*code, CXR_SECRET_KEY_OLD=f"{old.replace(',', '')}, {older}")
    assert found == {"SECRET_KEY": GOOD["CXR_SECRET_KEY"], "SECRET_KEY_FALLBACKS": [old.replace(",", ""), older]}
    status, said = start(CXR_SECRET_KEY_OLD=f"{older},{PASSWORD}")
    assert status == 1
    assert "  CXR_SECRET_KEY_OLD: " in said
    assert PASSWORD not in said
