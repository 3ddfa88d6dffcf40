"""Backups and their restoring: the database and the files in one part, what opens and proves them in another.

Whoever has the main part alone has rows whose patients' keys are elsewhere. Whoever restores an older main part with
the newest keys finds a patient who was erased in between as erased as before.
"""
