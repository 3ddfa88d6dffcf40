"""Long answers, line by line, without keeping the event loop."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async


async def off_the_loop(lines: Iterator[str]) -> AsyncIterator[str]:
    """The lines in parcels, each read from the database in a thread."""
    while parcel := await sync_to_async(_parcel)(lines):
        yield parcel


def _parcel(lines: Iterator[str], size: int = 500) -> str:
    return "".join(islice(lines, size))
