"""`manage.py evaluate`: how well a shipped model does on a folder of radiographs."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.inference.card import ModelError
from workers.inference.reader import Reader
from workers.management.choosing import load_reader
from workers.training.attention_checks import check_attention, heated, sure_normals
from workers.training.dataset import Case, DatasetError, Part, find_cases, split
from workers.training.evaluation import Evaluation, evaluate
from workers.training.findings import Findings, findings_json
from workers.training.intervals import Figure
from workers.training.negatives_check import check_negatives
from workers.training.report import report_html
from workers.training.served import check_served
from workers.training.site_client import ServedError, SiteClient
from workers.training.stress import flip_rates

_TOKEN = "CXR_API_TOKEN"  # noqa: S105 - a name, no token
_HEATED = 40
"""Pictures for the heatmap checks: each is read some forty times."""


class Command(BaseCommand):
    """Every picture goes through the reader that serves: decode, preprocess, gate, engine, threshold of the card."""

    help = (
        "Measure a model on a folder with NORMAL/ and PNEUMONIA/, with 95 % intervals. With --served, exit status 1 "
        "where the site answers a picture otherwise than this process."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with NORMAL/ and PNEUMONIA/")
        parser.add_argument(
            "--model", default="", help="name, name@version or a folder with a card; the site's CXR_MODEL by default"
        )
        parser.add_argument(
            "--part",
            choices=[part.value for part in Part],
            help="only those patients that the model's own split of this folder put there",
        )
        parser.add_argument("--json", type=Path, help="write all that was found to this file, too")
        parser.add_argument("--html", type=Path, help="write a report with charts and the worst errors to this file")
        parser.add_argument(
            "--negatives", type=Path, help="pictures that must be refused: a folder with a subfolder for each kind"
        )
        parser.add_argument(
            "--stress", action="store_true", help="how often answers flip when files are saved again or resized"
        )
        parser.add_argument(
            "--heatmap", action="store_true", help="deletion, insertion, and the check by randomised weights"
        )
        parser.add_argument("--served", metavar="URL", help="compare with what a running site answers, per picture")
        parser.add_argument("--token", default="", help=f"of the API, for --served; or in the environment as {_TOKEN}")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder, reader = load_reader(options["model"])
            # Before the pictures are read, so that a mistyped address costs no time.
            site = _site(reader, options)
            cases = _cases(reader, options)
            findings = _find(reader, cases, options)
            self._report(findings, len(cases))
            if options["heatmap"]:
                findings = self._check_heatmaps(folder, reader, findings)
            if site:
                findings = replace(findings, served=check_served(findings.evaluation, site, settings.CXR_MAX_FILES))
        except (DatasetError, ModelError, ServedError) as error:
            raise CommandError(str(error)) from error
        _write(findings, options)
        self._conclude(findings)

    def _report(self, findings: Findings, count: int) -> None:
        evaluation = findings.evaluation
        card = evaluation.card
        self.stdout.write(f"{card.name} {card.version} on {count} pictures, {evaluation.engine}")
        for name, figure in evaluation.figures.items():
            self.stdout.write(_line(name, figure))
        self.stdout.write(f"{'threshold':30} {card.threshold:.4f} (from the card)")
        self.stdout.write(_line("refused", evaluation.refusals["all"]))
        for path, message in evaluation.unreadable.items():
            self.stderr.write(f"{path}: {message}")
        if findings.negatives:
            self.stdout.write(_line("negatives refused", findings.negatives.pooled.share))
            for kind, refused in findings.negatives.kinds.items():
                self.stdout.write(_line(f"  {kind}", refused.share))
        if findings.stress:
            for name, flips in {"all": findings.stress.pooled, **findings.stress.variants}.items():
                if flips.flipped:
                    self.stdout.write(_line(f"flipped, {name}", flips.flipped))

    def _check_heatmaps(self, folder: Path, reader: Reader, findings: Findings) -> Findings:
        rows = heated(findings.evaluation.read, _HEATED)
        normals = sure_normals(findings.evaluation.read)
        if not rows or not normals:
            self.stderr.write(
                "The heatmaps were not checked: that needs a picture which is called pneumonia and has heat, and a "
                "normal one that is called so without doubt."
            )
            return findings
        attention = check_attention(reader, rows, normals)
        # Here, since it brings TensorFlow along, which takes seconds.
        from workers.training.randomised import check_randomisation  # noqa: PLC0415

        randomisation = check_randomisation(folder, rows)
        self.stdout.write(_line("deletion, gain on chance", attention.deletion.gain))
        self.stdout.write(_line("insertion, gain on chance", attention.insertion.gain))
        self.stdout.write(_line("heat mainly at the border", attention.mainly_at_border))
        self.stdout.write(_line("likeness when randomised", randomisation.steps[-1].spearman))
        return replace(findings, attention=attention, randomisation=randomisation)

    def _conclude(self, findings: Findings) -> None:
        """Say how the site compares; an error where it differs."""
        served = findings.served
        if served is None:
            return
        for found in served.differences:
            self.stderr.write(f"{found.path}: {found.words}")
        if served.differences:
            raise CommandError(f"The site answers {len(served.differences)} of {served.count} pictures otherwise.")
        self.stdout.write(
            f"The site answers all {served.count} pictures alike (probabilities to {served.largest_step:.1g})."
        )


def _cases(reader: Reader, options: dict[str, Any]) -> list[Case]:
    cases = find_cases(options["data"])
    if options["part"]:
        return split(cases, reader.card.training["split"]["seed"])[Part(options["part"])]
    return cases


def _find(reader: Reader, cases: list[Case], options: dict[str, Any]) -> Findings:
    evaluation: Evaluation = evaluate(reader, cases)
    return Findings(
        evaluation=evaluation,
        negatives=check_negatives(reader, options["negatives"]) if options["negatives"] else None,
        stress=flip_rates(reader, cases) if options["stress"] else None,
    )


def _site(reader: Reader, options: dict[str, Any]) -> SiteClient | None:
    if not options["served"]:
        return None
    token = options["token"] or os.environ.get(_TOKEN, "")
    if not token:
        raise CommandError(f"--served needs a token: give --token, or {_TOKEN} in the environment.")
    return SiteClient(options["served"], token, f"{reader.card.name}@{reader.card.version}")


def _write(findings: Findings, options: dict[str, Any]) -> None:
    if options["json"]:
        options["json"].write_text(json.dumps(findings_json(findings), indent=2) + "\n")
    if options["html"]:
        options["html"].write_text(report_html(findings))


def _line(name: str, figure: Figure) -> str:
    return f"{name:30} {figure.value:.4f}  (95 % interval {figure.low:.4f} to {figure.high:.4f})"
