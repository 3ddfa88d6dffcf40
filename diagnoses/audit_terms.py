"""What each action is in the terms of DICOM PS3.15 A.5, which IHE ATNA speaks as well."""

from collections.abc import Mapping
from enum import StrEnum

from diagnoses.models.audit import ActionCode, AuditAction


class Kind(StrEnum):
    """The kind of an event, by its code of DICOM's own coding scheme, DCM."""

    ACTIVITY = "110100"
    LOG_USED = "110101"
    INSTANCES_ACCESSED = "110103"
    STUDY_DELETED = "110105"
    EXPORT = "110106"
    IMPORT = "110107"
    PATIENT_RECORD = "110110"
    PROCEDURE_RECORD = "110111"
    QUERY = "110112"
    SECURITY_ALERT = "110113"
    USER_AUTHENTICATION = "110114"
    EMERGENCY_STARTED = "110127"
    SECURITY_CONFIGURATION = "110129"
    SOFTWARE_CONFIGURATION = "110131"
    USER_SECURITY = "110137"
    EMERGENCY_STOPPED = "110138"


MEANINGS: Mapping[Kind, str] = {
    Kind.ACTIVITY: "Application Activity",
    Kind.LOG_USED: "Audit Log Used",
    Kind.INSTANCES_ACCESSED: "DICOM Instances Accessed",
    Kind.STUDY_DELETED: "DICOM Study Deleted",
    Kind.EXPORT: "Export",
    Kind.IMPORT: "Import",
    Kind.PATIENT_RECORD: "Patient Record",
    Kind.PROCEDURE_RECORD: "Procedure Record",
    Kind.QUERY: "Query",
    Kind.SECURITY_ALERT: "Security Alert",
    Kind.USER_AUTHENTICATION: "User Authentication",
    Kind.EMERGENCY_STARTED: "Emergency Override Started",
    Kind.SECURITY_CONFIGURATION: "Security Configuration",
    Kind.SOFTWARE_CONFIGURATION: "Software Configuration",
    Kind.USER_SECURITY: "User Security Attributes Changed",
    Kind.EMERGENCY_STOPPED: "Emergency Override Stopped",
}
"""The codes' meanings, in the standard's words."""

_C, _R, _U, _D, _E = ActionCode.CREATE, ActionCode.READ, ActionCode.UPDATE, ActionCode.DELETE, ActionCode.EXECUTE

TERMS: Mapping[AuditAction, tuple[Kind, ActionCode]] = {
    AuditAction.SIGN_IN: (Kind.USER_AUTHENTICATION, _E),
    AuditAction.SIGN_IN_FAILED: (Kind.USER_AUTHENTICATION, _E),
    AuditAction.SIGN_IN_LOCKED: (Kind.SECURITY_ALERT, _E),
    AuditAction.SIGN_OUT: (Kind.USER_AUTHENTICATION, _E),
    AuditAction.SESSION_ENDED: (Kind.USER_AUTHENTICATION, _E),
    AuditAction.SECOND_FACTOR_FAILED: (Kind.USER_AUTHENTICATION, _E),
    AuditAction.FACTOR_ADDED: (Kind.USER_SECURITY, _C),
    AuditAction.FACTOR_REMOVED: (Kind.USER_SECURITY, _D),
    AuditAction.PASSWORD_CHANGED: (Kind.USER_SECURITY, _U),
    AuditAction.ACCOUNT_INVITED: (Kind.USER_SECURITY, _C),
    AuditAction.ACCOUNT_DEACTIVATED: (Kind.USER_SECURITY, _U),
    AuditAction.ACCOUNT_REACTIVATED: (Kind.USER_SECURITY, _U),
    AuditAction.PERMISSIONS_CHANGED: (Kind.USER_SECURITY, _U),
    AuditAction.ACCESS_DENIED: (Kind.SECURITY_ALERT, _E),
    AuditAction.REQUEST_FAILED: (Kind.ACTIVITY, _E),
    AuditAction.GLASS_BROKEN: (Kind.EMERGENCY_STARTED, _E),
    AuditAction.GLASS_MENDED: (Kind.EMERGENCY_STOPPED, _E),
    AuditAction.STUDY_SUBMITTED: (Kind.IMPORT, _C),
    AuditAction.UPLOAD_REFUSED: (Kind.IMPORT, _C),
    AuditAction.STUDY_VIEWED: (Kind.INSTANCES_ACCESSED, _R),
    AuditAction.PICTURE_VIEWED: (Kind.INSTANCES_ACCESSED, _R),
    AuditAction.HEATMAP_VIEWED: (Kind.INSTANCES_ACCESSED, _R),
    AuditAction.WORKLIST_VIEWED: (Kind.QUERY, _E),
    AuditAction.URGENCY_CHANGED: (Kind.PROCEDURE_RECORD, _U),
    AuditAction.HISTORY_VIEWED: (Kind.QUERY, _E),
    AuditAction.HISTORY_EXPORTED: (Kind.EXPORT, _R),
    AuditAction.RESULT_RECORDED: (Kind.PROCEDURE_RECORD, _C),
    AuditAction.JOB_RETRIED: (Kind.PROCEDURE_RECORD, _U),
    AuditAction.REFUSAL_OVERRIDDEN: (Kind.PROCEDURE_RECORD, _U),
    AuditAction.READING_REQUESTED: (Kind.PROCEDURE_RECORD, _C),
    AuditAction.READING_SIGNED: (Kind.PATIENT_RECORD, _C),
    AuditAction.ANSWER_UNCOVERED: (Kind.USER_SECURITY, _U),
    AuditAction.REPORT_VIEWED: (Kind.PATIENT_RECORD, _R),
    AuditAction.EXPORT_REQUESTED: (Kind.EXPORT, _C),
    AuditAction.EXPORT_CANCELLED: (Kind.EXPORT, _D),
    AuditAction.EXPORT_FETCHED: (Kind.EXPORT, _R),
    AuditAction.FIGURES_VIEWED: (Kind.QUERY, _E),
    AuditAction.AI_PAUSED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.AI_RESUMED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.MODEL_PROMOTED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.MODEL_ROLLED_BACK: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.MODEL_SUCCEEDED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.SHADOW_STARTED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.SHADOW_STOPPED: (Kind.SOFTWARE_CONFIGURATION, _U),
    AuditAction.TOKEN_CREATED: (Kind.USER_SECURITY, _C),
    AuditAction.TOKEN_REVOKED: (Kind.USER_SECURITY, _D),
    AuditAction.AUDIT_VIEWED: (Kind.LOG_USED, _R),
    AuditAction.AUDIT_EXPORTED: (Kind.LOG_USED, _R),
    AuditAction.AUDIT_VERIFIED: (Kind.LOG_USED, _E),
    AuditAction.AUDIT_ARCHIVED: (Kind.LOG_USED, _D),
    AuditAction.PATIENT_ERASED: (Kind.PATIENT_RECORD, _D),
    AuditAction.STUDIES_PURGED: (Kind.STUDY_DELETED, _D),
    AuditAction.KEYS_ROTATED: (Kind.SECURITY_CONFIGURATION, _U),
    AuditAction.BACKUP_MADE: (Kind.EXPORT, _C),
    AuditAction.BACKUP_RESTORED: (Kind.IMPORT, _C),
    AuditAction.ROW_ADDED: (Kind.SECURITY_CONFIGURATION, _C),
    AuditAction.ROW_CHANGED: (Kind.SECURITY_CONFIGURATION, _U),
    AuditAction.ROW_DELETED: (Kind.SECURITY_CONFIGURATION, _D),
}
"""The kind and the letter of each action."""
