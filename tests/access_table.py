"""`python -m tests.access_table`: write the table of answers anew, so that what has changed shows in its diff."""

import os
import subprocess
import sys

WRITE = "CXR_WRITE_ACCESS_TABLE"

if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", "tests/diagnoses/test_access.py", "-k", "as_the_table_says"]
    sys.exit(subprocess.run(command, env={**os.environ, WRITE: "1"}, check=False).returncode)
