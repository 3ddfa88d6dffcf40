"""What a fault is, and the list of them all."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.chaos.inputs import Inputs
from tests.chaos.ledger import Ledger, SentStudy
from tests.chaos.place import Place
from tests.chaos.stream import Stream
from tests.integration.books import shut_gate, wait_until_held
from tests.integration.site import Site


@dataclass(frozen=True)
class Hands:
    """What faults work with."""

    place: Place
    stream: Stream
    ledger: Ledger
    inputs: Inputs
    random: random.Random
    pause_seconds: float
    """How long a server stands still."""

    @property
    def site(self) -> Site:
        """The site that suffers."""
        return self.place.site

    @contextmanager
    def sending(self, study: SentStudy) -> Iterator[None]:
        """A study under way in a thread of its own; it is answered when the context has ended."""
        thread = threading.Thread(target=self.stream.carry, args=(study,), name=f"sender of {study.key}")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    @contextmanager
    def worker_held(self) -> Iterator[None]:
        """A worker that has read a batch and cannot save it, as long as the context lasts."""
        with shut_gate(self.site):
            self.stream.deliver([self.inputs.valid(), self.inputs.gate(), self.inputs.valid()], urgent=True)
            wait_until_held(self.site)
            yield


@dataclass(frozen=True)
class Fault:
    """One way to do harm."""

    name: str
    inject: Callable[[Hands], None]


FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Callable[[Hands], None]], Callable[[Hands], None]]:
    """Put a function on the list."""

    def enter(inject: Callable[[Hands], None]) -> Callable[[Hands], None]:
        FAULTS[name] = Fault(name, inject)
        return inject

    return enter
