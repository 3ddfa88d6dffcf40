"""Everything that the environment may say to the product, typed, in one place.

Values come from environment variables, from one file per value in `/run/secrets` (Docker's and Podman's secrets),
and from the file that a running single-machine site leaves for the terminal beside it, in this order.
"""

import base64
import binascii
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from diagnoses.roles import Role

BASE_DIR = Path(__file__).resolve().parent.parent
SITE_ENVIRONMENT_FILE = BASE_DIR / "var" / "site.env"
"""Written by `make run`, so that `manage.py` in a second terminal talks to the same servers."""

SECRETS = ("secret_key", "old_secret_keys", "data_keys", "audit_key", "backup_key")
"""By the names of their fields, and of their files in a single machine's folder. Without these a backup is not whole:
what they signed cannot be verified, what they sealed cannot be opened."""

_SECRETS_DIR = Path("/run/secrets")
_KEY_CHARACTERS = 50

T = TypeVar("T")


class Engine(StrEnum):
    """What runs the network."""

    AUTO = "auto"
    OPENVINO = "openvino"
    TENSORFLOW = "tensorflow"


class OutsideAge(StrEnum):
    """What becomes of a picture whose patient is known to be outside the ages that the model was trained on."""

    WARN = "warn"
    REFUSE = "refuse"


class FirstRead(StrEnum):
    """Whether answers stay hidden from those who sign readings until they have signed their own."""

    CHOICE = "choice"
    ALWAYS = "always"


class StorageKind(StrEnum):
    """Where sent files are kept."""

    FILE = "file"
    S3 = "s3"


def words_of(text: str) -> list[str]:
    """The parts of a list that is written with commas, with or without spaces."""
    return [part.strip() for part in text.split(",") if part.strip()]


def revealed(secret: SecretStr | None) -> str | None:
    """A secret that need not be given, in clear."""
    return secret.get_secret_value() if secret else None


def _check_old_keys(keys: SecretStr | None) -> SecretStr | None:
    if any(len(key) < _KEY_CHARACTERS for key in words_of(revealed(keys) or "")):
        raise ValueError(f"each of them has at least {_KEY_CHARACTERS} characters; commas stand between them")
    return keys


@dataclass(frozen=True, repr=False)
class DataKeys:
    """What identifiers are sealed with, by version, and what finds them."""

    sealing: dict[int, bytes]
    index: bytes


def data_keys_of(text: str) -> DataKeys:
    """The keys of a list like `1:base64,2:base64,index:base64`. Raises ValueError, without the keys in its words."""
    keys: dict[str, bytes] = {}
    for entry in words_of(text):
        name, _, encoded = entry.partition(":")
        if name in keys or not re.fullmatch("index|[1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]", name):
            raise ValueError("each key has a name of its own before its colon: a number from 1 to 255, or index")
        try:
            keys[name] = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise ValueError(f"the key {name} is not written in base64") from None
        if len(keys[name]) != 32:
            raise ValueError(f"the key {name} must have 32 random bytes, written in base64")
    index = keys.pop("index", None)
    if not keys or index is None:
        raise ValueError("it must be like 1:BASE64,index:BASE64: one key that seals or more, and the one that finds")
    if len({*keys.values(), index}) <= len(keys):
        raise ValueError("a key is given twice; each must be random bytes of its own")
    return DataKeys({int(name): key for name, key in keys.items()}, index)


def _check_data_keys(keys: SecretStr) -> SecretStr:
    data_keys_of(keys.get_secret_value())
    return keys


def _check_database_url(url: SecretStr) -> SecretStr:
    value = url.get_secret_value()
    if not re.match(r"postgres(ql)?://.+", value) or "#" in value:
        raise ValueError("this is no address of a PostgreSQL database, with its special characters percent-encoded")
    _check_port(value)
    return url


def _check_owner_url(url: SecretStr | None) -> SecretStr | None:
    return _check_database_url(url) if url else None


def _check_certificates(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError(f"{path} is no file; give the certificate of the authority that signed the server's, as PEM")
    return path


def _check_leaked_passwords(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError(f"{path} is no file; give a list of Pwned Passwords, SHA-1, ordered by hash")
    return path


def _check_redis_url(url: SecretStr) -> SecretStr:
    if not re.match(r"(rediss?|redis\+socket)://.+", url.get_secret_value()):
        raise ValueError("this is no address of a Redis server: redis, rediss or redis+socket")
    _check_port(url.get_secret_value())
    return url


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError:
        # Not the error's own words, which quote the address and with it a password.
        raise ValueError("its port is no number, or a special character in it is not percent-encoded") from None


def _check_origins(text: str) -> str:
    for origin in words_of(text):
        if not re.fullmatch(r"https?://[^/]+", origin):
            raise ValueError(f"{origin} must be like https://reader.hospital.example")
    return text


def _check_endpoint(url: str | None) -> str | None:
    if url is not None:
        if not re.fullmatch(r"https?://[^/@\s]+/?", url):
            raise ValueError("it must be like https://minio.hospital.example:9000, without keys or a path")
        _check_port(url)
    return url


def _check_email_url(url: SecretStr | None) -> SecretStr | None:
    value = revealed(url)
    if value is not None:
        if not re.fullmatch(r"(smtp|smtps|smtp\+tls)://[^/\s]+/?", value):
            raise ValueError("it must be like smtp+tls://user:password@mail.hospital.example:587, percent-encoded")
        _check_port(value)
    return url


def _check_site_url(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^/@\s]+/?", url):
        raise ValueError("it must be like https://reader.hospital.example, without a path")
    return url


def _check_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no time zone; give one like Asia/Ho_Chi_Minh")
    return name


def mfa_roles_of(text: str) -> frozenset[str]:
    """The roles that need a second factor. Raises ValueError for a word that is no role."""
    words = words_of(text)
    if words == ["none"]:
        return frozenset()
    known = [role.value for role in Role]
    if not words or not set(words) <= set(known):
        raise ValueError(f"give roles out of {', '.join(known)}, with commas between them, or `none`")
    return frozenset(words)


def _check_mfa_roles(text: str) -> str:
    mfa_roles_of(text)
    return text


class Environment(BaseSettings):
    """The settings that a site may choose. Only what is secret or names a server has no default."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    secret_key: SecretStr = Field(alias="CXR_SECRET_KEY", min_length=_KEY_CHARACTERS)
    old_secret_keys: Annotated[SecretStr | None, AfterValidator(_check_old_keys)] = Field(
        alias="CXR_SECRET_KEY_OLD", default=None
    )
    data_keys: Annotated[SecretStr, AfterValidator(_check_data_keys)] = Field(alias="CXR_DATA_KEYS")
    database_url: Annotated[SecretStr, AfterValidator(_check_database_url)] = Field(alias="DATABASE_URL")
    redis_url: Annotated[SecretStr, AfterValidator(_check_redis_url)] = Field(alias="REDIS_URL")
    database_owner_url: Annotated[SecretStr | None, AfterValidator(_check_owner_url)] = Field(
        alias="DATABASE_OWNER_URL", default=None
    )
    audit_reader_password: SecretStr | None = Field(alias="CXR_AUDIT_READER_PASSWORD", default=None, min_length=16)
    database_ca: Annotated[Path | None, AfterValidator(_check_certificates)] = Field(
        alias="CXR_DATABASE_CA", default=None
    )
    redis_ca: Annotated[Path | None, AfterValidator(_check_certificates)] = Field(alias="CXR_REDIS_CA", default=None)
    trusted_network: bool = Field(alias="CXR_TRUSTED_NETWORK", default=False)
    backup_key: SecretStr | None = Field(alias="CXR_BACKUP_KEY", default=None, min_length=50)
    allowed_hosts: str = Field(alias="CXR_ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
    trusted_origins: Annotated[str, AfterValidator(_check_origins)] = Field(alias="CXR_TRUSTED_ORIGINS", default="")
    https: bool = Field(alias="CXR_HTTPS", default=True)
    debug: bool = Field(alias="CXR_DEBUG", default=False)
    var_dir: Path = Field(alias="CXR_VAR_DIR", default=BASE_DIR / "var")
    models_dir: Path = Field(alias="CXR_MODELS_DIR", default=BASE_DIR / "workers" / "models")
    model: str = Field(alias="CXR_MODEL", default="mobilenet_v2", pattern=r"^[a-z0-9_]+$")
    engine: Engine = Field(alias="CXR_ENGINE", default=Engine.AUTO)
    outside_age: OutsideAge = Field(alias="CXR_OUTSIDE_AGE", default=OutsideAge.WARN)
    first_read: FirstRead = Field(alias="CXR_FIRST_READ", default=FirstRead.CHOICE)
    second_reader: bool = Field(alias="CXR_SECOND_READER", default=False)
    prevalence: float | None = Field(alias="CXR_PREVALENCE", default=None, gt=0, lt=1)
    batch_size: int = Field(alias="CXR_BATCH_SIZE", default=16, ge=1, le=256)
    lease_seconds: int = Field(alias="CXR_LEASE_SECONDS", default=30, ge=2, le=3600)
    reading_seconds: int = Field(alias="CXR_READING_SECONDS", default=120, ge=20, le=3600)
    max_attempts: int = Field(alias="CXR_MAX_ATTEMPTS", default=3, ge=1, le=20)
    max_file_mb: int = Field(alias="CXR_MAX_FILE_MB", default=64, ge=1, le=1024)
    max_files: int = Field(alias="CXR_MAX_FILES", default=200, ge=1, le=1000)
    max_request_mb: int = Field(alias="CXR_MAX_REQUEST_MB", default=2048, validate_default=True, ge=1, le=65_536)
    uploads_per_minute: int = Field(alias="CXR_UPLOADS_PER_MINUTE", default=1200, validate_default=True, ge=1)
    upload_mb_per_day: int = Field(alias="CXR_UPLOAD_MB_PER_DAY", default=20_000, validate_default=True, ge=1)
    min_free_mb: int = Field(alias="CXR_MIN_FREE_MB", default=1024, ge=1)
    max_queued: int = Field(alias="CXR_MAX_QUEUED", default=5000, ge=1000, le=1_000_000)
    api_per_minute: int = Field(alias="CXR_API_PER_MINUTE", default=600, ge=1, le=1_000_000)
    pages_per_minute: int = Field(alias="CXR_PAGES_PER_MINUTE", default=1200, ge=60, le=1_000_000)
    orphan_seconds: int = Field(alias="CXR_ORPHAN_SECONDS", default=86_400, ge=1)
    export_cases: int = Field(alias="CXR_EXPORT_CASES", default=2000, ge=1, le=100_000)
    export_days: int = Field(alias="CXR_EXPORT_DAYS", default=7, ge=1, le=365)
    # A bucket takes five gigabytes in one request.
    export_mb: int = Field(alias="CXR_EXPORT_MB", default=4096, ge=1, le=4500)
    # Signs the ends of the audit's chain and its archives: only the scheduler and the commands for the audit need it.
    audit_key: SecretStr | None = Field(alias="CXR_AUDIT_KEY", default=None, min_length=50)
    audit_anchors: Path | None = Field(alias="CXR_AUDIT_ANCHORS", default=None)
    audit_anchor_minutes: int = Field(alias="CXR_AUDIT_ANCHOR_MINUTES", default=60, ge=1, le=1440)
    audit_syslog: str = Field(alias="CXR_AUDIT_SYSLOG", default="", pattern=r"^(|/.+|[^:/\s]+:[0-9]{1,5})$")
    audit_years: int = Field(alias="CXR_AUDIT_YEARS", default=6, ge=6, le=100)
    audit_archives: Path | None = Field(alias="CXR_AUDIT_ARCHIVES", default=None)
    seal_files: bool = Field(alias="CXR_SEAL_FILES", default=True)
    retention_days: int | None = Field(alias="CXR_RETENTION_DAYS", default=None, ge=1, le=36_500)
    storage: StorageKind = Field(alias="CXR_STORAGE", default=StorageKind.FILE)
    s3_bucket: str | None = Field(
        alias="CXR_S3_BUCKET", default=None, validate_default=True, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    )
    s3_endpoint: Annotated[str | None, AfterValidator(_check_endpoint)] = Field(alias="CXR_S3_ENDPOINT", default=None)
    s3_region: str | None = Field(alias="CXR_S3_REGION", default=None, pattern=r"^[a-z0-9-]+$")
    s3_access_key: SecretStr | None = Field(alias="CXR_S3_ACCESS_KEY", default=None)
    s3_secret_key: SecretStr | None = Field(alias="CXR_S3_SECRET_KEY", default=None, validate_default=True)
    email_url: Annotated[SecretStr | None, AfterValidator(_check_email_url)] = Field(
        alias="CXR_EMAIL_URL", default=None
    )
    email_from: str | None = Field(
        alias="CXR_EMAIL_FROM", default=None, validate_default=True, pattern=r"^[^@\s]+@[^@\s]+$"
    )
    site_url: Annotated[str | None, AfterValidator(_check_site_url)] = Field(alias="CXR_SITE_URL", default=None)
    idle_minutes: int = Field(alias="CXR_IDLE_MINUTES", default=15, ge=3, le=24 * 60)
    session_hours: int = Field(alias="CXR_SESSION_HOURS", default=12, ge=1, le=24)
    leaked_passwords: Annotated[Path | None, AfterValidator(_check_leaked_passwords)] = Field(
        alias="CXR_LEAKED_PASSWORDS", default=None
    )
    mfa_roles: Annotated[str, AfterValidator(_check_mfa_roles)] = Field(alias="CXR_MFA_ROLES", default=",".join(Role))
    time_zone: Annotated[str, AfterValidator(_check_time_zone)] = Field(
        alias="CXR_TIME_ZONE", default="Asia/Ho_Chi_Minh"
    )
    break_glass_minutes: int = Field(alias="CXR_BREAK_GLASS_MINUTES", default=60, ge=1, le=720)
    site_name: str = Field(alias="CXR_SITE_NAME", default="", max_length=120)
    log_level: str = Field(alias="CXR_LOG_LEVEL", default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("max_request_mb")
    @classmethod
    def _takes_a_file(cls, mb: int, info: ValidationInfo) -> int:
        # A form's other parts and the bounds between them take some room, too.
        if mb <= info.data.get("max_file_mb", 0):
            raise ValueError("it must be more than CXR_MAX_FILE_MB: a request holds at least one file")
        return mb

    @field_validator("uploads_per_minute")
    @classmethod
    def _takes_all_files_of_a_request(cls, files: int, info: ValidationInfo) -> int:
        if files < info.data.get("max_files", 0):
            raise ValueError("it must be at least CXR_MAX_FILES: so many may come at once")
        return files

    @field_validator("upload_mb_per_day")
    @classmethod
    def _takes_a_request(cls, mb: int, info: ValidationInfo) -> int:
        if mb < info.data.get("max_request_mb", 0):
            raise ValueError("it must be at least CXR_MAX_REQUEST_MB")
        return mb

    @field_validator("debug")
    @classmethod
    def _is_for_no_real_site(cls, debug: bool, info: ValidationInfo) -> bool:
        if debug and info.data.get("https"):
            raise ValueError("error pages would show code and patients' data; it needs CXR_HTTPS=0, on a machine alone")
        return debug

    @field_validator("s3_bucket", "s3_endpoint", "s3_region", "s3_access_key", "s3_secret_key")
    @classmethod
    def _belongs_to_s3(cls, value: T, info: ValidationInfo) -> T:
        if value is not None and info.data.get("storage") is StorageKind.FILE:
            raise ValueError("it is given, but CXR_STORAGE is not s3: files would be kept on this machine's disk")
        return value

    @field_validator("s3_bucket")
    @classmethod
    def _is_needed_by_s3(cls, bucket: str | None, info: ValidationInfo) -> str | None:
        if bucket is None and info.data.get("storage") is StorageKind.S3:
            raise ValueError("it is needed where CXR_STORAGE is s3")
        return bucket

    @field_validator("email_from")
    @classmethod
    def _is_needed_for_mail(cls, sender: str | None, info: ValidationInfo) -> str | None:
        if "email_url" in info.data and (sender is None) != (info.data["email_url"] is None):
            raise ValueError("it and CXR_EMAIL_URL are given together, or neither of them")
        return sender

    @field_validator("s3_secret_key")
    @classmethod
    def _belongs_to_access_key(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "s3_access_key" in info.data and (secret is None) != (info.data["s3_access_key"] is None):
            raise ValueError("it and CXR_S3_ACCESS_KEY are given together, or neither of them")
        return secret


def read_environment() -> Environment:
    """The environment as it is. A missing or wrong value stops the program with words that name it."""
    site_file = os.environ.get("CXR_ENV_FILE", str(SITE_ENVIRONMENT_FILE))
    try:
        return Environment(_env_file=site_file or None, _secrets_dir=_SECRETS_DIR if _SECRETS_DIR.is_dir() else None)
    except ValidationError as error:
        raise SystemExit(_in_words(error)) from None


def _in_words(error: ValidationError) -> str:
    lines = [f"  {_alias(problem['loc'][0])}: {problem['msg']}" for problem in error.errors(include_input=False)]
    hint = "On a single machine start the site with `make run` first; docs/operators.md lists all settings."
    return "\n".join(["The environment's settings are wrong:", *lines, hint])


def _alias(name: int | str) -> str:
    """The variable's name, where pydantic gives the field's: a default that is wrong has no variable to it."""
    field = Environment.model_fields.get(str(name))
    return str(field.alias if field else name)
