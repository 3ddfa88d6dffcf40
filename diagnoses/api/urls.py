"""Addresses of the API."""

from django.urls import path

from diagnoses.api import readings, reports, schema, views

urlpatterns = [
    path("studies/", views.StudiesView.as_view(), name="api_studies"),
    path("searches/", views.SearchesView.as_view(), name="api_searches"),
    path("studies/<uuid:study_id>/", views.StudyView.as_view(), name="api_study"),
    path("studies/<uuid:study_id>/report/", reports.ReportView.as_view(), name="api_report"),
    path("studies/<uuid:study_id>/report.pdf", reports.ReportPdfView.as_view(), name="api_report_pdf"),
    path("images/<uuid:image_id>/picture/", views.PictureView.as_view(), name="api_picture"),
    path("images/<uuid:image_id>/readings/", readings.ReadingsView.as_view(), name="api_readings"),
    path("jobs/<uuid:job_id>/override/", readings.OverrideView.as_view(), name="api_override"),
    path("models/", readings.ModelsView.as_view(), name="api_models"),
    path("jobs/<uuid:job_id>/heatmap/", views.HeatmapView.as_view(), name="api_heatmap"),
    path("schema/", schema.SchemaView.as_view(), name="api_schema"),
]
