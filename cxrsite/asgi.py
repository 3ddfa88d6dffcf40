"""The web server's entrance. ASGI, since a page that follows a study holds a connection open."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cxrsite.settings")

application = get_asgi_application()
