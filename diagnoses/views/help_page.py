"""The words and numbers of the product, explained."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses.glossary import GLOSSARY


@require_safe
@never_cache
def help_page(request: HttpRequest) -> HttpResponse:
    """All of them."""
    return render(request, "diagnoses/help.html", {"terms": GLOSSARY.values()})
