"""Children that do not outlive the site: were it killed, they would keep its port, and serve without its servers."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Ask the kernel to end this process when the thread that started it ends. To be run in a child before its program.

    So start such children from the main thread.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
