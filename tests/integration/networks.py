"""Two hosts on one machine: two networks of the kernel's own, with a wire between them that can be pulled."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE, THERE = "10.77.0.1", "10.77.0.2"
"""Addresses of the two hosts. The networks are nobody else's, so neither are these."""

_WIRE = "wire"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_LIBC = ctypes.CDLL(None, use_errno=True)


class OtherHost:
    """The host at the far end of the wire."""

    def __init__(self, network: str) -> None:
        self.within = ["ip", "netns", "exec", network]
        """What starts a command there."""
        self._network = network

    def pull_the_wire(self) -> None:
        """From here on nothing arrives at either end, and nobody is told."""
        _ip("-n", self._network, "link", "set", _WIRE, "down")

    def put_it_back(self) -> None:
        """Packets pass again."""
        _ip("-n", self._network, "link", "set", _WIRE, "up")


@contextmanager
def two_hosts() -> Iterator[OtherHost]:
    """This thread, and what it starts, is on one host as long as the context lasts. Skips where that cannot be."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("networks of their own need root, and iproute2's `ip`")
    here, there = f"cxr-{os.getpid()}-here", f"cxr-{os.getpid()}-there"
    try:
        _ip("netns", "add", here)
        _ip("netns", "add", there)
        _ip("link", "add", _WIRE, "netns", here, "type", "veth", "peer", "name", _WIRE, "netns", there)
        for network, address in ((here, HERE), (there, THERE)):
            _ip("-n", network, "address", "add", f"{address}/24", "dev", _WIRE)
            _ip("-n", network, "link", "set", "lo", "up")
            _ip("-n", network, "link", "set", _WIRE, "up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"networks of their own are not allowed here: {error.stderr.strip()}")
    else:
        with _inside(here):
            yield OtherHost(there)
    finally:
        for network in (here, there):
            subprocess.run(["ip", "netns", "delete", network], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


@contextmanager
def _inside(network: str) -> Iterator[None]:
    with Path("/proc/thread-self/ns/net").open() as before, Path(f"/run/netns/{network}").open() as network_file:
        _enter(network_file.fileno())
        try:
            yield
        finally:
            _enter(before.fileno())


def _enter(network: int) -> None:
    if _LIBC.setns(network, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
