"""In what kind an answer comes."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OneKind(DefaultContentNegotiation):
    """Every address has one kind of answer, whatever `Accept` says: who asks for a picture as one gets it."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The only one, which refusals are in, too."""
        [renderer] = renderers
        return renderer, str(renderer.media_type)
