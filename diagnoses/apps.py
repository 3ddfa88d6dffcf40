"""The Django application that holds the data and what people see of it."""

from django.apps import AppConfig


class DiagnosesConfig(AppConfig):
    """Studies, jobs, results, and their audit."""

    name = "diagnoses"
    verbose_name = "Chest X-ray readings"

    def ready(self) -> None:
        # Receivers of Django's own sign-in signals and the system checks register themselves on import.
        from diagnoses import checks, signin_audit  # noqa: F401
