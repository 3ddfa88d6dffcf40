"""A pytest plugin: real servers for the tests, and the environment that names them, before Django's settings load."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from cxrsite.embedded import EmbeddedPostgres, EmbeddedRedis

FOLDER = Path(tempfile.mkdtemp(prefix="cxr-tests-"))
_OURS = "CXR_TESTS_OWN_SERVERS"
"""Says to processes that this one starts for tests that the servers named are its own, and not for them."""


def _start() -> None:
    # A socket's folder must be open to the account that the database runs as when the tests run as root.
    FOLDER.chmod(0o755)
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
    named_by_another = _OURS in os.environ
    for kind in (EmbeddedPostgres, EmbeddedRedis):
        if named_by_another or not os.environ.get(kind.variable):
            server = kind(FOLDER / kind.folder_name)
            atexit.register(server.stop)
            os.environ |= {kind.variable: server.url, _OURS: "1"}


os.environ |= {
    "CXR_ENV_FILE": "",
    "CXR_SECRET_KEY": "a key for tests alone, as long as a real one has to be",
    "CXR_DATA_KEYS": "1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,"
    "index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU=",
    "CXR_HTTPS": "0",
    "CXR_MFA_ROLES": "none",
    "CXR_VAR_DIR": str(FOLDER),
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
_start()
