"""What the measures share: the files, a reader in this process, and one site that starts when it is first needed."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

from tests.bench.files import File, seconds_bare
from tests.bench.place import place
from tests.bench.sender import Sender
from tests.integration.site import Site
from workers.inference.reader import Reader

MODEL = Path(__file__).parent.parent.parent / "workers" / "models" / "mobilenet_v2"
"""The one that a new site reads with."""


class Bench:
    """One run."""

    def __init__(self, files: Sequence[File], *, is_long: bool = False) -> None:
        self.files = files
        self.is_long = is_long
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def reader(self) -> Reader:
        """The bare side: the same model on the same engine."""
        return Reader(MODEL)

    def seconds_bare(self, files: Sequence[File]) -> float:
        return seconds_bare(self.reader, files)

    @cached_property
    def sender(self) -> Sender:
        """The site, whole and warm."""
        site = Site(self._stack.enter_context(place()))
        self._stack.callback(site.destroy)
        site.start()
        client = self._stack.enter_context(site.client())
        sender = Sender(site, client, self._stack.enter_context(site.database()))
        sender.seconds_until_committed(self.files[:40])
        return sender
