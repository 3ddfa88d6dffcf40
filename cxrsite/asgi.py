"""The web server's entrance. ASGI, since a page that follows a study holds a connection open."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cxrsite.settings")

_django = get_asgi_application()

from diagnoses.bodies import BoundedBodies  # noqa: E402 - it knows the settings, which Django has loaded only now

application = BoundedBodies(_django)
