"""Saying what is kept, and what the models are called, in the language of whoever reads."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext, gettext_lazy, override

from diagnoses.imaging.said import fill


def in_words(text: str, said: Mapping[str, Any]) -> str:
    """A kept message in the reader's language: by its parts where it has any, else the text, where it is known."""
    template = said.get("template", text)
    return fill(gettext(template), said.get("facts", {}))


def translate_names(model: type[Model]) -> None:
    """Have a model and its fields go by translated names, those too that Django makes up from the code's.

    Migrations know nothing of it: they compare what is written in the code, in English.
    """
    model._meta.verbose_name_plural = gettext_lazy(str(model._meta.verbose_name_plural))
    model._meta.verbose_name = gettext_lazy(str(model._meta.verbose_name))
    for field in model._meta.fields:
        field.verbose_name = gettext_lazy(str(field.verbose_name))
        field.help_text = gettext_lazy(str(field.help_text)) if field.help_text else ""


def names_of(model: type[Model]) -> set[str]:
    """All that `translate_names` has translated, in English."""
    meta = model._meta
    names = [meta.verbose_name, meta.verbose_name_plural]
    names += [words for field in meta.fields for words in (field.verbose_name, field.help_text) if words]
    with override(None):
        return {str(name) for name in names}
