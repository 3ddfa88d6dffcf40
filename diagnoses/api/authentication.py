"""Who a request to the API is from: the user of its token."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from diagnoses.models import ApiToken
from diagnoses.selectors.second_factors import lacks_second_factor
from diagnoses.selectors.tokens import find_token, refusal_of, token_now
from diagnoses.services.tokens import mark_used


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Token cxr_…`."""

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        """The user and the token, or 401 with words that say why."""
        token = _admitted(find_token(key))
        mark_used(token=token)
        return token.user, token


def user_still_admitted(request: Request) -> User:
    """The request's user as the account is now; 401 where account or token has ended since the request began."""
    return _admitted(token_now(request.auth) if isinstance(request.auth, ApiToken) else None).user


def _admitted(token: ApiToken | None) -> ApiToken:
    """Every condition on a token and its account stands here: what else an account must have is asked for here, too."""
    if token is None:
        raise AuthenticationFailed(_("There is no such token. Make one under API tokens."))
    if refusal := refusal_of(token):
        raise AuthenticationFailed(refusal)
    if lacks_second_factor(token.user):
        raise AuthenticationFailed(_("This account needs a second factor. Sign in on the site and set one up there."))
    return token
