"""`manage.py erase_patient PATIENT_ID --reason WHY`: forgets a patient for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from diagnoses.audit import Actor
from diagnoses.services.erasing import FilesLeftError, NoSuchPatientError, erase_patient


class Command(BaseCommand):
    """Says the pseudonym, by which the audit goes on to call the patient, and never the ID."""

    help = "Erase a patient for good: identifiers, pictures and the key that opens them. Answers stay, as nobody's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("patient_id", help="the patient's ID, or - to read it from standard input")
        parser.add_argument("--reason", required=True, help="why; it stays on record, so name nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        # A command line is seen by others on the machine, and shells remember it.
        patient_id = input() if options["patient_id"] == "-" else options["patient_id"]
        if not options["reason"].strip():
            raise CommandError("Say why: the reason stays on record.")
        try:
            pseudonym, studies = erase_patient(
                actor=Actor(None, "terminal"), patient_id=patient_id, reason=options["reason"]
            )
        except NoSuchPatientError:
            raise CommandError("No patient has this ID (any more).") from None
        except FilesLeftError as error:
            raise CommandError(f"The patient is erased, but {error}") from error
        self.stdout.write(f"Patient {pseudonym} is erased, with {studies} studies.")
