"""A filter as its page shows it: what is set, each with the address of the page without it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.formats import date_format

from diagnoses.searching import TELLING, without


@dataclass(frozen=True)
class Chip:
    """One thing that the page is narrowed by."""

    label: str
    value: str
    query_without: str
    """What the page's address has after its question mark once this is removed."""


def chips_of(user_id: int, form: forms.Form, query: QueryDict) -> list[Chip]:
    """What is set in a valid form; `query` is the address that it was made of."""
    chips = []
    for name, value in form.cleaned_data.items():
        if value:
            rest = without(user_id, query, name)
            chips.append(Chip(str(form.fields[name].label), _words(form.fields[name], value), rest.urlencode()))
    return chips


def filter_detail(form: forms.Form) -> dict[str, Any]:
    """For the record: how a valid form narrows; of what tells of a patient, that it was looked for and no more."""
    said = {name: "yes" if name in TELLING else str(value) for name, value in form.cleaned_data.items() if value}
    return {"filter": said} if said else {}


def _words(field: forms.Field, value: Any) -> str:
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(field, forms.ChoiceField):
        return str(dict(field.choices)[value])  # type: ignore[arg-type]
    return str(value)
