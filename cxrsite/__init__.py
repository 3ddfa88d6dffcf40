"""The site: settings, addresses, and what a single machine needs to run all of it."""

from cxrsite.celery import app as celery_app

__all__ = ["celery_app"]
