"""The API's own description."""

from drf_spectacular.views import SpectacularAPIView

from diagnoses.models.token import Scope


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, for every token that reads."""

    scopes = {"GET": Scope.READ}
