"""How the site reaches PostgreSQL and Redis: as which role, over TLS or not, how long it waits."""

import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from pydantic import SecretStr

from cxrsite.env import SECRETS, Environment, revealed

_OWNERS_COMMANDS = {"migrate", "database_roles", "backup", "restore", "archive_audit"}


def acts_as_owner(arguments: Sequence[str]) -> bool:
    """Whether this command line, `manage.py` and what follows, is the owner's work."""
    return len(arguments) > 1 and arguments[1] in _OWNERS_COMMANDS


def database_settings(environment: Environment, *, owner: bool) -> dict[str, Any]:
    """Django's settings of the database.

    The timeouts keep a request from hanging on a server that is gone; those of TCP count at both ends, so that a host
    which was cut off in the middle of a transaction does not keep its rows locked from the others. Connections are kept
    in a pool: opening one costs more than most requests' statements. As many as are needed are opened, some kept.
    """
    url = environment.database_owner_url if owner and environment.database_owner_url else environment.database_url
    database = dj_database_url.parse(url.get_secret_value(), conn_max_age=0)
    certificates = environment.database_ca
    tls = {"sslmode": "verify-full", "sslrootcert": str(certificates)} if certificates else {}
    return {
        **database,
        "ENGINE": "dj_db_conn_pool.backends.postgresql",
        "POOL_OPTIONS": {"POOL_SIZE": 5, "MAX_OVERFLOW": -1, "RECYCLE": 300, "PRE_PING": True},
        "OPTIONS": {
            **tls,
            **database.get("OPTIONS", {}),
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "tcp_user_timeout": 10_000,
            "options": "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s "
            "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_user_timeout=10s",
        },
    }


def role_of(url: SecretStr) -> tuple[str, str]:
    """The role that a database's address names, and its password."""
    parts = urlsplit(url.get_secret_value())
    return unquote(parts.username or ""), unquote(parts.password or "")


def redis_tls(environment: Environment) -> dict[str, Any] | None:
    """What a `rediss://` address needs besides: the server must show a certificate that is its own."""
    if not environment.redis_url.get_secret_value().startswith("rediss://"):
        return None
    tls: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return tls | ({"ssl_ca_certs": str(environment.redis_ca)} if environment.redis_ca else {})


def secrets_of(environment: Environment) -> dict[str, str]:
    """The secrets that this site was given and cannot do without, by name."""
    given = {name: revealed(getattr(environment, name, None)) for name in SECRETS}
    return {name: value for name, value in given.items() if value}
