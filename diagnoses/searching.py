"""What people look for, as addresses and rows have it: sealed for whoever looks, so that neither tells of a patient.

An address goes into browsers' histories, bookmarks and the logs of proxies. What may name a patient stands in it as one
value, `find`, that this site alone opens, and for the one user alone.
"""

import base64
import binascii
import json
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from diagnoses import sealing

TELLING = ("search", "patient_id")
"""The parts of a filter that may name a patient."""
FIND = "find"
_LONGEST = 4000


class SearchError(ValueError):
    """What was looked for does not open; the text is for the user."""


def sealed_search(user_id: int, said: dict[str, str]) -> str:
    """What stands in an address for these parts of a filter."""
    sealed = sealing.seal_words(json.dumps(said, ensure_ascii=False), _place(user_id))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def opened_search(user_id: int, sealed: str) -> dict[str, str]:
    """The parts again. Raises SearchError where it is another user's, cut, or of a key that is not there any more."""
    try:
        data = base64.urlsafe_b64decode((sealed + "=" * (-len(sealed) % 4)).encode())
        said = json.loads(sealing.unseal_words(data, _place(user_id)))
    except (sealing.SealError, binascii.Error, ValueError) as error:
        words = _("This search cannot be opened: its address was cut, or it is another user's. Search again.")
        raise SearchError(words) from error
    return {name: str(said[name]) for name in TELLING if said.get(name)}


def sealed_query(user_id: int, opened: QueryDict) -> QueryDict:
    """A filter as its address has it: with what may name a patient sealed."""
    query = opened.copy()
    query.pop(FIND, None)
    said = {name: value for name in TELLING if (value := str(query.pop(name, [""])[-1]).strip()[:_LONGEST])}
    if said:
        query[FIND] = sealed_search(user_id, said)
    return query


def opened_query(user_id: int, sealed: QueryDict) -> QueryDict:
    """A filter from its address, in clear. What names a patient in clear is not listened to. Raises SearchError."""
    query = sealed.copy()
    for name in (*TELLING, FIND):
        query.pop(name, None)
    if sealed.get(FIND):
        query.update(opened_search(user_id, str(sealed[FIND])))
    return query


def without(user_id: int, sealed: QueryDict, name: str) -> QueryDict:
    """The address of a filter without one of its parts. Raises SearchError."""
    if name in TELLING:
        query = opened_query(user_id, sealed)
        query.pop(name, None)
        return sealed_query(user_id, query)
    query = sealed.copy()
    query.pop(name, None)
    return query


def untold_query(user_id: int, query: str) -> str:
    """A filter that somebody sent as text, sealed where it names a patient in clear."""
    said = QueryDict(query)
    return sealed_query(user_id, said).urlencode() if tells(said) else query


def tells(query: QueryDict) -> bool:
    """Whether an address may name a patient."""
    return any(query.get(name) for name in TELLING)


def untelling(query: str) -> dict[str, Any]:
    """A filter for the record: without what was looked for, but that something was."""
    said = QueryDict(query).dict()
    return {name: "yes" if name in (FIND, *TELLING) else value for name, value in said.items()}


def _place(user_id: int) -> str:
    return f"search:{user_id}"
