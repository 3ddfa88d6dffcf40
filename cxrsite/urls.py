"""All addresses of the site."""

from django.urls import include, path

urlpatterns = [path("", include("diagnoses.urls"))]
handler404 = "diagnoses.views.nowhere.not_found"
