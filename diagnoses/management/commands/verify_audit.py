"""`manage.py verify_audit`: computes every hash of the audit anew and says whether it is what was put on record."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagnoses import audit
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.selectors.audit_chain import stream_chain
from diagnoses.services.anchoring import NoKeyError, audit_key, read_anchors, seal
from diagnoses.services.archiving import check_archive
from diagnoses.services.verifying import Verdict, archives_by_month, verify


class Command(BaseCommand):
    """Ends with status 1 where anything is wrong."""

    help = "Verify the audit: every event, the chain, the anchors and, where they are at hand, the archives."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--anchors", type=Path, default=settings.CXR_AUDIT_ANCHORS, help="the file of anchors")
        parser.add_argument("--archives", type=Path, help="the folder of archived months, to look at these, too")

    def handle(self, *args: Any, anchors: Path, archives: Path | None, **options: Any) -> None:
        try:
            key = audit_key()
        except NoKeyError as error:
            raise CommandError(f"Nothing was verified, neither chain nor anchors nor archives. {error}") from error
        before = Verdict()
        known, problems = read_anchors(anchors, key) if anchors.exists() else ([], [])
        months = archives_by_month(before, key)
        seal()
        verdict = verify(stream_chain(), known, months)
        verdict.found = before.found + verdict.found
        verdict.counts += before.counts
        for problem in problems:
            verdict.add("anchor", problem)
        for archive in months.values() if archives else []:
            for problem in check_archive(archives / archive.name, archive, key) if archives else []:
                verdict.add("archive", problem)
        audit.record(
            AuditAction.AUDIT_VERIFIED,
            audit.Actor(None, "verify_audit"),
            outcome=Outcome.SUCCESS if verdict.is_clean else Outcome.MAJOR_FAILURE,
            links=verdict.links,
            found=dict(verdict.counts),
        )
        if months and not archives:
            self.stdout.write(f"Archives that are signed: {len(months)}; their files were not looked at (--archives).")
        self._report(verdict, anchors)

    def _report(self, verdict: Verdict, anchors: Path) -> None:
        say = self.stdout.write
        say(
            f"{verdict.links} events verified, {verdict.archived} of them archived; {verdict.anchors} anchors compared."
        )
        if not verdict.anchors:
            say(f"{anchors} has no anchor that holds: whether the end of the record is missing cannot be told.")
        for words in verdict.found:
            say(words)
        if not verdict.is_clean:
            counts = ", ".join(f"{kind} {count}" for kind, count in sorted(verdict.counts.items()))
            raise CommandError(f"The audit is NOT what was put on record: {counts}.")
        say("The audit is what was put on record.")
