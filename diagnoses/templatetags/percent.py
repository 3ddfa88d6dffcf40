"""A share, as people read it."""

from django import template

register = template.Library()


@register.filter
def percent(value: float) -> str:
    """0.9312 as `93.1 %`. What is not quite none or all is never rounded to it."""
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.1f} %"
