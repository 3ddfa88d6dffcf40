"""`manage.py submit PATH…`: the main job from a terminal."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from diagnoses import audit
from diagnoses.api.serializers import result_serializer, submission_data, waiting_study_data
from diagnoses.forms import StudyForm
from diagnoses.roles import MAY_SUBMIT, Role
from diagnoses.selectors.registry import a_worker_is_alive
from diagnoses.selectors.studies import StudyImage, StudyState, study_state
from diagnoses.services.receiving import SentFile
from diagnoses.services.submission import StudyDetails, Submission, SubmissionError, submit_study
from diagnoses.states import JobStatus

_LOOK_EVERY_SECONDS = 0.2
_DETAILS = ("patient_id", "patient_sex", "patient_birth_date", "accession_number", "clinical_note")

EXIT_NOT_ALL_READ = 1
EXIT_NOTHING_TAKEN = 2


class Command(BaseCommand):
    """Sends files, or all files of a folder, as one study."""

    help = (
        "Send radiographs as one study. Exit status: 0 all well, 1 some file was refused or failed (or, without "
        "--wait, not taken), 2 nothing was taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with files")
        for name in _DETAILS:
            parser.add_argument(f"--{name.replace('_', '-')}", default="")
        parser.add_argument("--urgent", action="store_true", help="read it before all that is not")
        parser.add_argument("--user", default="", help="in whose name; the only clinician where there is one")
        parser.add_argument("--wait", action="store_true", help="until every file has its answer")
        parser.add_argument("--json", action="store_true", help="print the study as the API gives it")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _find_user(options["user"])
        files = [_sent_file(path) for path in _files_of(options["paths"])]
        try:
            submission = submit_study(actor=audit.user_actor(user), files=files, details=_details(options))
        except SubmissionError as error:
            raise CommandError(str(error), returncode=EXIT_NOTHING_TAKEN) from error
        if submission.study is None:
            self._report_nothing_taken(submission, as_json=options["json"])
            sys.exit(EXIT_NOTHING_TAKEN)
        state = study_state(user, submission.study.pk)
        if options["wait"]:
            state = _wait(user, state, quiet=options["json"])
        self._report(state, as_json=options["json"])
        sys.exit(0 if all(_is_well(image, options["wait"]) for image in state.images) else EXIT_NOT_ALL_READ)

    def _report_nothing_taken(self, submission: Submission, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(submission_data(submission), indent=2))
            return
        for answer in submission.answers:
            if answer.error:
                self.stderr.write(f"{answer.filename}: {answer.error.message}")

    def _report(self, state: StudyState, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(waiting_study_data(state, result_serializer()), indent=2))
        else:
            console = Console()
            with console.capture() as drawn:
                console.print(_table(state))
            self.stdout.write(f"{drawn.get()}Study {state.study.pk}")


def _find_user(name: str) -> User:
    if name:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None or not user.has_perm(MAY_SUBMIT):
            raise CommandError(f"{name!r} is no active user who may send studies.")
        return user
    clinicians = list(User.objects.filter(groups__name=Role.CLINICIAN, is_active=True)[:2])
    if len(clinicians) != 1:
        raise CommandError("Say in whose name with --user: this site has no clinician, or several.")
    return clinicians[0]


def _files_of(paths: list[Path]) -> list[Path]:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise CommandError(f"There is no such file or folder: {', '.join(missing)}")
    return [file for path in paths for file in (_files_below(path) if path.is_dir() else [path])]


def _files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _sent_file(path: Path) -> SentFile:
    return SentFile(path.name, path.stat().st_size, path.read_bytes)


def _details(options: dict[str, Any]) -> StudyDetails:
    """The options, checked by the same form as the page's."""
    form = StudyForm({name: options[name] for name in (*_DETAILS, "urgent")})
    if not form.is_valid():
        problems = [f"--{name.replace('_', '-')}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
        raise CommandError(" ".join(problems))
    return form.details()


def _wait(user: User, state: StudyState, *, quiet: bool) -> StudyState:
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading", total=len(state.images), completed=state.ended_count)
        while not state.ended:
            time.sleep(_LOOK_EVERY_SECONDS)
            state = study_state(user, state.study.pk)
            words = "Reading" if a_worker_is_alive() else "No worker is alive; waiting (the study is kept)"
            progress.update(task, completed=state.ended_count, description=words)
    return state


def _is_well(image: StudyImage, waited: bool) -> bool:
    if waited:
        return image.status is JobStatus.DONE
    return image.status not in (JobStatus.REFUSED, JobStatus.FAILED)


def _table(state: StudyState) -> Table:
    table = Table("File", "State", "Answer", "Probability", "Why", box=None)
    for image in state.images:
        result = image.result
        table.add_row(
            Text(image.filename),  # as it is: brackets in a plain string would be taken for markup
            image.status.value,
            result.get_label_display() if result else "",
            f"{result.probability:.1%}" if result else "",
            image.error_message,
        )
    return table
