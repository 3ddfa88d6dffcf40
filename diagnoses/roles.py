"""The roles, as the migration names their groups."""

from enum import StrEnum

MAY_SUBMIT = "diagnoses.add_study"
MAY_OVERRIDE = "diagnoses.override_refusal"
MAY_PROMOTE = "diagnoses.promote_modelversion"


class Role(StrEnum):
    """What an account is for."""

    CLINICIAN = "clinician"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
