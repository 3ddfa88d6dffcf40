"""All addresses of the product."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path
from django.views.generic import RedirectView

from diagnoses.views import health, history, models, pictures, preferences, readings, sending, studies

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="send"), name="worklist"),
    path("send/", studies.send, name="send"),
    path("send/files/", sending.send_file, name="send_file"),
    path("send/state/", sending.send_state, name="send_state"),
    path("send/seen/", sending.send_seen, name="send_seen"),
    path("send/header/", sending.send_header, name="send_header"),
    path("studies/<uuid:study_id>/", studies.study, name="study"),
    path("studies/<uuid:study_id>/images/", studies.study_images, name="study_images"),
    path("studies/<uuid:study_id>/events/", studies.study_events, name="study_events"),
    path("images/<uuid:image_id>/picture/", pictures.picture, name="picture"),
    path("images/<uuid:image_id>/readings/", readings.read_again, name="read_again"),
    path("jobs/<uuid:job_id>/override/", readings.override, name="override"),
    path("jobs/<uuid:job_id>/heatmap/", pictures.heatmap_overlay, name="heatmap"),
    path("palettes/<str:palette>.png", pictures.colour_bar, name="colour_bar"),
    path("history/", history.history, name="history"),
    path("history/export.csv", history.history_csv, name="history_csv"),
    path("models/", models.model_list, name="models"),
    path("models/<str:name>/<str:version>/", models.model_page, name="model"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("preferences/language/", preferences.set_language, name="set_language"),
    path("preferences/theme/", preferences.set_theme, name="set_theme"),
    path("sign-in/", auth_views.LoginView.as_view(template_name="diagnoses/sign_in.html"), name="sign_in"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="sign_out"),
    path("api/v1/", include("diagnoses.api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
