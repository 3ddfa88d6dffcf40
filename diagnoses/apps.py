"""The Django application that holds the data and what people see of it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiagnosesConfig(AppConfig):
    """Studies, jobs, results, and their audit."""

    name = "diagnoses"
    verbose_name = _("Chest X-ray readings")

    def ready(self) -> None:
        # Receivers of Django's own sign-in signals and the system checks register themselves on import.
        # So does the panel's part that builds on the panel.
        from diagnoses import admin_access, checks, signin_audit  # noqa: F401
        from diagnoses.accounts import watching  # noqa: F401
        from diagnoses.language import translate_names

        for model in self.get_models():
            translate_names(model)
