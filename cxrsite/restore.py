"""`python -m cxrsite.restore FROM KEYS_FROM`: a backup into an empty single-machine site. `make restore` calls it."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from cxrsite.env import BASE_DIR, SECRETS
from cxrsite.run import Options, StartError, lock, make_environment, read_options, start_servers

_NOTHING_RESTORED = 3
"""The exit status of `manage.py restore` where the system is as empty as it was."""


def main(arguments: list[str]) -> int:
    """The exit status is 0 where all is there again."""
    if len(arguments) != 2 or not all(arguments):
        print("Say what to restore: make restore FROM=backups/TIME KEYS_FROM=keys/TIME", file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            return _restore(read_options(), Path(arguments[0]), Path(arguments[1]), stack)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1


def _restore(options: Options, folder: Path, keys: Path, stack: ExitStack) -> int:
    options.var.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock(options.var, stack)
    # Before the environment is made, which would make keys of its own.
    brought = _bring_secrets(keys, options.var)
    environment = make_environment(options, start_servers(options.var, stack))
    command = [sys.executable, str(BASE_DIR / "manage.py"), "restore", str(folder), "--keys-from", str(keys)]
    status = subprocess.run(command, env=environment, check=False).returncode
    if status == _NOTHING_RESTORED:  # otherwise there may be data, which is lost without its keys
        for path in brought:
            path.unlink()
    return status


def _bring_secrets(keys: Path, var: Path) -> list[Path]:
    """Those that the site has none of: the files made. The command itself refuses where the site has others."""
    brought = []
    for name in SECRETS:
        source, target = keys / name, var / name
        if source.is_file() and not target.exists():
            shutil.copyfile(source, target, follow_symlinks=False)
            target.chmod(0o600)
            brought.append(target)
    return brought


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
