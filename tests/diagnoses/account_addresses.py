"""The addresses of a user's own account, as the tables of all addresses have them."""

TABLE = {
    "account_login": (200, 302, 302, 302),
    "cancel_sign_in": (405, 405, 405, 405),
    "mfa_authenticate": (302, 302, 302, 302),
    "invitation": (404, 404, 404, 404),
    "security": (302, 200, 200, 200),
    "mfa_index": (302, 200, 200, 200),
    "session_left": (302, 200, 200, 200),
    "usersessions_list": (302, 200, 200, 200),
    "account_change_password": (302, 302, 302, 302),
    "account_reauthenticate": (302, 200, 200, 200),
    "mfa_reauthenticate": (302, 302, 302, 302),
    "mfa_reauthenticate_webauthn": (302, 302, 302, 302),
    "mfa_activate_totp": (302, 302, 302, 302),
    "mfa_deactivate_totp": (302, 404, 404, 404),
    "mfa_view_recovery_codes": (302, 404, 404, 404),
    "mfa_generate_recovery_codes": (302, 302, 302, 302),
    "mfa_list_webauthn": (302, 200, 200, 200),
    "mfa_add_webauthn": (302, 302, 302, 302),
    "mfa_remove_webauthn": (302, 302, 302, 302),
    "admin_sign_in": (302, 403, 403, 403),
    "admin_password": (302, 302, 302, 302),
}
"""What a GET is answered with."""

POST_TABLE = {
    "cancel_sign_in": (302, 302, 302, 302),
    "session_left": (302, 200, 200, 200),
    "account_change_password": (302, 302, 302, 302),
    "mfa_activate_totp": (302, 302, 302, 302),
    "mfa_generate_recovery_codes": (302, 302, 302, 302),
}

ALLOWED = {
    "cancel_sign_in": {"POST"},
    "security": {"GET", "HEAD"},
    "session_left": {"GET", "POST"},
}

LED_WITHOUT_RETURN = ("mfa_authenticate", "admin_sign_in")
"""What leads the anonymous to the sign-in, and has no page of its own to lead back to."""
