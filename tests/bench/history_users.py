"""Whose pages of the history are measured."""

OWNER, OTHER, MEMBER = 1001, 1002, 1003
"""The user whose history is as long as was asked for, one who has a tenth of it besides and is in no department, and
one who has sent nothing and is in the first one's department, from which all of theirs was sent."""
WARD = 1001

PEOPLE = f"""
INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_active, is_staff, is_superuser,
    date_joined)
VALUES ({OWNER}, 'owner', '!', '', '', '', true, false, false, now()),
    ({OTHER}, 'other', '!', '', '', '', true, false, false, now()),
    ({MEMBER}, 'member', '!', '', '', '', true, false, false, now());
INSERT INTO diagnoses_department (id, name, active) VALUES ({WARD}, 'Ward', true);
INSERT INTO diagnoses_profile (user_id, department_id, language, theme, reads_first, wants_mail, history_columns)
SELECT member, {WARD}, '', 'system', false, false, '[]' FROM unnest(ARRAY[{OWNER}, {MEMBER}]) member;
INSERT INTO auth_user_groups (user_id, group_id)
SELECT owner, auth_group.id FROM auth_group, unnest(ARRAY[{OWNER}, {OTHER}, {MEMBER}]) owner WHERE name = 'clinician'
"""
