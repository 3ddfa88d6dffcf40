"""The roles, as the migration names their groups."""

from enum import StrEnum

MAY_SUBMIT = "diagnoses.add_study"
MAY_SEE_STUDIES = "diagnoses.see_studies"
MAY_OVERRIDE = "diagnoses.override_refusal"
MAY_PROMOTE = "diagnoses.promote_modelversion"
MAY_SIGN = "diagnoses.sign_reading"
MAY_SEE_EVERY_STUDY = "diagnoses.see_every_study"
MAY_SEE_SITE_FIGURES = "diagnoses.see_site_figures"
MAY_PAUSE = "diagnoses.pause_ai"
MAY_REVOKE_TOKENS = "diagnoses.revoke_apitoken"
MAY_BREAK_GLASS = "diagnoses.break_glass"
MAY_WATCH_GLASS = "diagnoses.view_emergencyaccess"


class Role(StrEnum):
    """What an account is for."""

    CLINICIAN = "clinician"
    RADIOLOGIST = "radiologist"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
