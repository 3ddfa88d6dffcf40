"""What a token opens: each view says for each of its methods which scope it needs, and without that it is closed."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from diagnoses.models import ApiToken
from diagnoses.models.token import Scope


class HasScope(BasePermission):
    """The token's scopes hold that which the view names for the method. HEAD is as GET; OPTIONS tells nothing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True, too, for a method that the view does not know, which it then refuses itself."""
        if not isinstance(request.auth, ApiToken):
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True
        wanted: Scope | None = getattr(view, "scopes", {}).get(method)
        if wanted is None:
            return False
        words = _("This token lacks the scope “{scope}”. Make one that has it under API tokens.")
        self.message = words.format(scope=wanted.value)
        return wanted in request.auth.scopes
