"""What the environment may say: a wrong value stops the start, by its name; a secret has no default and is not told."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrsite import env
from cxrsite.env import Environment, read_environment

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "hunter2-and-more"
SECRET_KEY = "a secret key, long enough to be one, and never to be seen"
DATA_KEYS = "1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU="
GOOD = {
    "CXR_ENV_FILE": "",
    "CXR_SECRET_KEY": SECRET_KEY,
    "CXR_DATA_KEYS": DATA_KEYS,
    "DATABASE_URL": f"postgresql://cxr:{PASSWORD}@db.example/cxr",
    "REDIS_URL": f"redis://:{PASSWORD}@redis.example/0",
}
LOAD = "import cxrsite.settings"
S3 = {
    "CXR_STORAGE": "s3",
    "CXR_S3_BUCKET": "radiographs",
    "CXR_S3_ENDPOINT": "https://minio.example:9000",
    "CXR_S3_REGION": "eu-west-1",
    "CXR_S3_ACCESS_KEY": "an access key",
    "CXR_S3_SECRET_KEY": PASSWORD,
}
SECRETS = ["CXR_SECRET_KEY", "CXR_DATA_KEYS", "DATABASE_URL", "REDIS_URL"]
OPTIONAL_SECRETS = [
    "CXR_SECRET_KEY_OLD",
    "CXR_S3_ACCESS_KEY",
    "CXR_S3_SECRET_KEY",
    "CXR_EMAIL_URL",
    "DATABASE_OWNER_URL",
    "CXR_AUDIT_READER_PASSWORD",
    "CXR_BACKUP_KEY",
    "CXR_AUDIT_KEY",
]
WRONG = [
    ("CXR_SECRET_KEY", "too-short-a-key"),
    ("CXR_DATA_KEYS", "1:c2hvcnQ="),
    ("CXR_DATA_KEYS", DATA_KEYS.partition(",")[0]),
    ("CXR_RETENTION_DAYS", "0"),
    ("CXR_SEAL_FILES", "perhaps"),
    ("DATABASE_URL", "sqlite:///db.sqlite3"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_URL", f"postgresql://cxr:{PASSWORD}#@db.example/cxr"),
    ("DATABASE_URL", f"postgresql://cxr:{PASSWORD}@db.example:port/cxr"),
    ("REDIS_URL", "amqp://guest@localhost"),
    ("REDIS_URL", f"redis://:{PASSWORD}@redis.example:port/0"),
    ("DATABASE_OWNER_URL", f"mysql://root:{PASSWORD}@db.example/cxr"),
    ("CXR_AUDIT_READER_PASSWORD", "short"),
    ("CXR_BACKUP_KEY", "short"),
    ("CXR_DATABASE_CA", "/no/such/file.pem"),
    ("CXR_REDIS_CA", "/no/such/file.pem"),
    ("CXR_LEAKED_PASSWORDS", "/no/such/file.txt"),
    ("CXR_TRUSTED_NETWORK", "perhaps"),
    ("CXR_DEBUG", "perhaps"),
    ("CXR_DEBUG", "1"),
    ("CXR_SECRET_KEY_OLD", f"{SECRET_KEY},too-short-a-key"),
    ("CXR_API_PER_MINUTE", "0"),
    ("CXR_PAGES_PER_MINUTE", "59"),
    ("CXR_HTTPS", "perhaps"),
    ("CXR_TRUSTED_ORIGINS", "site.example"),
    ("CXR_MODEL", "../../etc"),
    ("CXR_ENGINE", "pytorch"),
    ("CXR_OUTSIDE_AGE", "ignore"),
    ("CXR_PREVALENCE", "0"),
    ("CXR_PREVALENCE", "1"),
    ("CXR_PREVALENCE", "12 %"),
    ("CXR_SITE_NAME", "x" * 121),
    ("CXR_BATCH_SIZE", "0"),
    ("CXR_BATCH_SIZE", "many"),
    ("CXR_LEASE_SECONDS", "1"),
    ("CXR_MAX_ATTEMPTS", "0"),
    ("CXR_MAX_FILE_MB", "-1"),
    ("CXR_MAX_FILES", "1001"),
    ("CXR_MAX_REQUEST_MB", "64"),
    ("CXR_UPLOADS_PER_MINUTE", "199"),
    ("CXR_UPLOAD_MB_PER_DAY", "2047"),
    ("CXR_MIN_FREE_MB", "0"),
    ("CXR_EXPORT_CASES", "0"),
    ("CXR_EXPORT_MB", "5000"),
    ("CXR_AUDIT_KEY", "too-short-a-key"),
    ("CXR_AUDIT_ANCHOR_MINUTES", "0"),
    ("CXR_AUDIT_SYSLOG", "not an address"),
    ("CXR_AUDIT_YEARS", "5"),
    ("CXR_EXPORT_DAYS", "0"),
    ("CXR_ORPHAN_SECONDS", "0"),
    ("CXR_STORAGE", "ftp"),
    ("CXR_TIME_ZONE", "Mars/Olympus"),
    ("CXR_LOG_LEVEL", "LOUD"),
    ("CXR_MFA_ROLES", "clinician,radiographer"),
    ("CXR_MFA_ROLES", ","),
    ("CXR_MFA_ROLES", "none,clinician"),
    ("CXR_IDLE_MINUTES", "0"),
    ("CXR_SESSION_HOURS", "25"),
    ("CXR_EMAIL_URL", f"imap://me:{PASSWORD}@mail.example"),
    ("CXR_EMAIL_URL", f"smtp://me:{PASSWORD}@mail.example:port"),
    ("CXR_EMAIL_FROM", "nobody"),
    ("CXR_EMAIL_FROM", "mail@without.server.example"),
    ("CXR_SITE_URL", "reader.example"),
]


def start(code: str = LOAD, /, **changes: str | None) -> tuple[int, str]:
    """Load the settings in a process of their own: its exit status, and all that it said."""
    variables = {"PATH": os.environ["PATH"], **GOOD, **changes}
    environment = {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def only_secrets_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this process says no more than it must."""
    for name in list(os.environ):
        if name.startswith("CXR_") or name in SECRETS:
            monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


Refusal = Callable[..., str]


@pytest.fixture
def refusal(only_secrets_given: None, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """What the settings' reader ends this process with, where some variables are changed or, by None, missing."""

    def refuse(**changes: str | None) -> str:
        for name, value in changes.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            read_environment()
        return str(end.value)

    return refuse


def test_a_good_environment_starts_without_a_word() -> None:
    assert start() == (0, "")


def test_a_start_that_is_refused_says_why_and_fails(refusal: Refusal) -> None:
    status, words = start(CXR_BATCH_SIZE="many", CXR_ENGINE="pytorch")
    assert (status, words) == (1, refusal(CXR_BATCH_SIZE="many", CXR_ENGINE="pytorch") + "\n")


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_stops_the_start_by_its_name(refusal: Refusal, name: str, value: str) -> None:
    words = refusal(**{name: value})
    assert "The environment's settings are wrong:" in words
    assert re.search(rf"^  {name}: \w", words, re.MULTILINE)
    assert "docs/operators.md" in words


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_secret_has_no_default(refusal: Refusal, name: str, value: str | None) -> None:
    words = refusal(**{name: value})
    assert f"  {name}: Field required" in words
    assert [other for other in SECRETS if f"  {other}:" in words] == [name]


def test_all_that_is_missing_is_named_at_once(refusal: Refusal) -> None:
    words = refusal(**dict.fromkeys(SECRETS))
    assert re.findall(r"^  (\w+):", words, re.MULTILINE) == SECRETS


def test_whatever_sounds_secret_or_names_a_server_has_no_default() -> None:
    fields = {str(field.alias): field for field in Environment.model_fields.values()}
    secret = {name for name in fields if re.search("KEY|PASSWORD|SECRET|TOKEN|URL", name)}
    assert {name for name, field in fields.items() if field.is_required()} == set(SECRETS)
    assert secret == {*SECRETS, *OPTIONAL_SECRETS, "CXR_SITE_URL", "CXR_LEAKED_PASSWORDS"}  # the last two only sound so
    assert {fields[name].default for name in OPTIONAL_SECRETS} == {None}


@pytest.mark.parametrize(("name", "value"), [pair for pair in WRONG if pair[0] in SECRETS])
def test_a_wrong_secret_is_never_printed(refusal: Refusal, name: str, value: str) -> None:
    words = refusal(**{name: value})
    assert value not in words
    assert PASSWORD not in words
    assert SECRET_KEY not in words
    assert DATA_KEYS not in words


def test_the_settings_themselves_print_no_secret() -> None:
    status, words = start("import cxrsite.settings as s; print(repr(s.ENV), str(s.ENV))")
    assert status == 0
    assert "mobilenet_v2" in words
    assert PASSWORD not in words
    assert SECRET_KEY not in words
    assert DATA_KEYS not in words


def test_an_empty_value_is_as_good_as_none() -> None:
    assert start("import cxrsite.settings as s; print(s.CXR_BATCH_SIZE)", CXR_BATCH_SIZE="") == (0, "16\n")


def test_the_share_of_the_ill_is_not_guessed() -> None:
    code = "import cxrsite.settings as s; print(s.CXR_PREVALENCE, s.CXR_OUTSIDE_AGE)"
    assert start(code) == (0, "None warn\n")
    assert start(code, CXR_PREVALENCE="0.12", CXR_OUTSIDE_AGE="refuse") == (0, "0.12 refuse\n")


def test_a_list_may_be_written_with_spaces() -> None:
    code = "import cxrsite.settings as s; print(s.ALLOWED_HOSTS, s.CSRF_TRUSTED_ORIGINS)"
    hosts, origins = "a.example, b.example", "https://a.example, https://b.example"
    assert start(code, CXR_ALLOWED_HOSTS=hosts, CXR_TRUSTED_ORIGINS=origins) == (
        0,
        "['a.example', 'b.example'] ['https://a.example', 'https://b.example']\n",
    )


@pytest.mark.usefixtures("only_secrets_given")
def test_a_site_is_closed_until_it_is_opened() -> None:
    found = read_environment()
    assert found.debug is False
    assert found.https is True
    assert set(found.allowed_hosts.split(",")) == {"localhost", "127.0.0.1", "[::1]"}


def test_https_protects_the_cookies() -> None:
    code = (
        "import cxrsite.settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0)"
    )
    assert start(code) == (0, "True True True\n")
    assert start(code, CXR_HTTPS="0") == (0, "False False False\n")


def test_what_changes_the_tables_is_done_by_their_owner_and_all_else_by_the_application() -> None:
    code = (
        "import importlib, sys\n"
        "for sys.argv in {}:\n"
        "    sys.modules.pop('cxrsite.settings', None)\n"
        "    print(importlib.import_module('cxrsite.settings').DATABASES['default']['USER'])\n"
    )
    owner = {"DATABASE_OWNER_URL": f"postgresql://owner:{PASSWORD}@db.example/cxr"}
    owners = [["manage.py", command] for command in ("migrate", "database_roles", "backup", "restore")]
    others = [["manage.py", "worker"], ["manage.py", "shell", "migrate"], ["uvicorn", "x"], [""]]
    assert start(code.format(owners), **owner) == (0, "owner\n" * 4)
    assert start(code.format(owners)) == (0, "cxr\n" * 4)
    assert start(code.format(others), **owner) == (0, "cxr\n" * 4)


def test_a_certificate_means_that_servers_must_show_one_that_it_vouches_for() -> None:
    code = (
        "import cxrsite.settings as s; print(s.DATABASES['default']['OPTIONS'].get('sslmode'), s.CELERY_BROKER_USE_SSL)"
    )
    assert start(code) == (0, "None None\n")
    ca = str(ROOT / "pyproject.toml")
    status, words = start(code, CXR_DATABASE_CA=ca, CXR_REDIS_CA=ca, REDIS_URL="rediss://redis.example/0")
    assert status == 0
    assert words.startswith("verify-full {'ssl_cert_reqs': <VerifyMode.CERT_REQUIRED")
    assert f"'ssl_ca_certs': '{ca}'" in words


STORAGE = "import cxrsite.settings as s; print(s.CXR_STORAGE, s.STORAGES['default'])"


def test_files_are_kept_on_the_disk_until_a_bucket_is_named() -> None:
    assert start(STORAGE) == (0, "file {'BACKEND': 'diagnoses.storage.files.PrivateFileStorage'}\n")
    status, words = start(STORAGE, **S3)
    assert (status, words.split()[0]) == (0, "s3")
    assert "'diagnoses.storage.s3.PrivateS3Storage'" in words
    for value in list(S3.values())[1:]:
        assert f"'{value}'" in words


def test_a_bucket_is_all_that_s3_needs() -> None:
    status, words = start(STORAGE, CXR_STORAGE="s3", CXR_S3_BUCKET="radiographs")
    assert status == 0
    assert "'access_key': None, 'secret_key': None" in words


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"CXR_S3_BUCKET": None}, "CXR_S3_BUCKET", "it is needed where CXR_STORAGE is s3"),
        ({"CXR_S3_BUCKET": "Radiographs!"}, "CXR_S3_BUCKET", "should match"),
        ({"CXR_S3_ENDPOINT": "minio.example:9000"}, "CXR_S3_ENDPOINT", "must be like https://"),
        ({"CXR_S3_ENDPOINT": f"https://me:{PASSWORD}@minio.example"}, "CXR_S3_ENDPOINT", "without keys"),
        ({"CXR_S3_ENDPOINT": "https://minio.example:port"}, "CXR_S3_ENDPOINT", "its port is no number"),
        ({"CXR_S3_REGION": "somewhere else"}, "CXR_S3_REGION", "should match"),
        ({"CXR_S3_SECRET_KEY": None}, "CXR_S3_SECRET_KEY", "given together, or neither"),
        ({"CXR_S3_ACCESS_KEY": None}, "CXR_S3_SECRET_KEY", "given together, or neither"),
        *(({**dict.fromkeys(S3), name: S3[name]}, name, "CXR_STORAGE is not s3") for name in list(S3)[1:]),
    ],
)
def test_a_wrong_combination_of_storage_settings_stops_the_start(
    refusal: Refusal, changes: dict[str, str | None], name: str, words: str
) -> None:
    said = refusal(**{**S3, **changes})
    assert re.search(rf"^  {name}: .*{words}", said, re.MULTILINE), said
    assert PASSWORD not in said


def test_mail_needs_a_server_and_a_sender_and_leads_to_the_site() -> None:
    said_of_mail = "s.CXR_SENDS_MAIL, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.CXR_SITE_URL"
    code = f"import cxrsite.settings as s; print({said_of_mail})"
    assert start(code) == (0, "False  25 False https://localhost\n")
    mail = {
        "CXR_EMAIL_URL": f"smtp+tls://me%40here:{PASSWORD}@mail.example",
        "CXR_EMAIL_FROM": "reader@hospital.example",
    }
    site = {"CXR_SITE_URL": "https://reader.example/"}
    assert start(code, **mail, **site) == (0, "True mail.example 587 True https://reader.example\n")
    status, said = start(code, CXR_EMAIL_URL=mail["CXR_EMAIL_URL"])
    assert status == 1
    assert "CXR_EMAIL_FROM: " in said
    assert PASSWORD not in said


@pytest.mark.usefixtures("only_secrets_given")
def test_a_secret_may_come_from_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = "a key from a file, at least fifty characters long, as docker gives it"
    (tmp_path / "CXR_SECRET_KEY").write_text(key)
    monkeypatch.setattr(env, "_SECRETS_DIR", tmp_path)
    monkeypatch.delenv("CXR_SECRET_KEY")
    assert read_environment().secret_key.get_secret_value() == key


@pytest.mark.usefixtures("only_secrets_given")
def test_the_file_of_a_running_site_fills_in_what_the_environment_leaves_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "site.env").write_text("CXR_BATCH_SIZE='7'\nCXR_MAX_FILES='9'\n")
    monkeypatch.setenv("CXR_ENV_FILE", str(tmp_path / "site.env"))
    monkeypatch.setenv("CXR_MAX_FILES", "11")
    found = read_environment()
    assert (found.batch_size, found.max_files) == (7, 11)
