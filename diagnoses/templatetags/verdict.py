"""An image's answer as a badge."""

from typing import Any

from django import template

from diagnoses.models import Job
from diagnoses.models.job import Label, ReadingWarning
from diagnoses.views.verdicts import Verdict, verdict_of

register = template.Library()


@register.inclusion_tag("diagnoses/_badge.html")
def verdict_badge(verdict: Verdict) -> dict[str, Any]:
    """The verdict by its words, a mark and a colour, so that none of the three is needed to tell it."""
    return {"verdict": verdict}


@register.filter
def verdict(job: Job) -> Verdict:
    """The verdict on a reading."""
    return verdict_of(job)


@register.filter
def refusal_name(code: str) -> str:
    """A refusal's code in a few words; one that has no words stands for itself."""
    return str(ReadingWarning(code).label) if code in ReadingWarning else code


@register.filter
def label_name(label: str) -> str:
    """A label's code in a word."""
    return str(Label(label).label)
