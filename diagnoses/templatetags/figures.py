"""Figures, for a script to read."""

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """The same as JSON, whose text is escaped like any other."""
    return json.dumps(value)
