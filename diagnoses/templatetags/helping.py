"""Small parts that any page may hold: an explanation of a word, a page's saved views, the mark of a sample."""

from typing import Any

from django import template
from django.template import Context

from diagnoses.glossary import GLOSSARY
from diagnoses.models import SavedView, Study
from diagnoses.selectors.saved_views import saved_views_of
from diagnoses.services.samples import is_sample

register = template.Library()


@register.inclusion_tag("diagnoses/_help.html")
def help_on(key: str) -> dict[str, Any]:
    """A "?" that opens what the glossary says of a word or number."""
    return {"term": GLOSSARY[key]}


@register.inclusion_tag("diagnoses/_saved_views.html", takes_context=True)
def saved_views(context: Context, page: str, query: str) -> dict[str, Any]:
    """The user's filters of a page (its address's name), and a way to keep the one that it shows now (`query`)."""
    views: list[SavedView] = list(saved_views_of(context["request"].user, page))
    chosen = next((view for view in views if query and view.query == query), None)
    return {"views": views, "chosen": chosen, "page": page, "query": query, "csrf_token": context["csrf_token"]}


@register.inclusion_tag("diagnoses/_sample.html")
def sample_badge(study: Study) -> dict[str, Any]:
    """Says of a drawn sample that it is nobody's; nothing of any other study."""
    return {"is_sample": is_sample(study)}
