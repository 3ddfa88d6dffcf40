"""A share, as people read it and as a drawing needs it."""

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def percent(value: float) -> str:
    """0.9312 as `93.1 %`, in Vietnamese `93,1 %`. What is not quite none or all is never rounded to it."""
    if 0 < value < 0.001:
        return f"< {number_format(0.1)} %"
    if 0.999 < value < 1:
        return f"> {number_format(99.9)} %"
    return f"{number_format(f'{value * 100:.1f}')} %"  # rounded here: what number_format cuts off is lost


@register.filter
def along(value: float) -> str:
    """0.9312 as `93.12%`: a place along a drawing's width, whatever the language."""
    return f"{value * 100:.2f}%"


@register.filter
def decimals(value: float) -> str:
    """0.9953 as `0.995`, with the language's own point. What is not quite one is never rounded to it."""
    return f"> {number_format('0.999')}" if 0.9995 <= value < 1 else number_format(f"{value:.3f}")


@register.filter
def points(value: float) -> str:
    """A change of 0.0312 as `+3.1`, in percentage points, its sign always said."""
    return f"{'-' if value < 0 else '+'}{number_format(f'{abs(value) * 100:.1f}')}"
