"""Addresses of the API."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from diagnoses.api import views

urlpatterns = [
    path("studies/", views.StudiesView.as_view(), name="api_studies"),
    path("studies/<uuid:study_id>/", views.StudyView.as_view(), name="api_study"),
    path("images/<uuid:image_id>/picture/", views.PictureView.as_view(), name="api_picture"),
    path("jobs/<uuid:job_id>/heatmap/", views.HeatmapView.as_view(), name="api_heatmap"),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
]
