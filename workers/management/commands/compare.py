"""`manage.py compare A B`: two models on the same radiographs."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.inference.card import ModelError
from workers.inference.reader import Reader
from workers.management.choosing import load_reader
from workers.training.comparison import Comparison, Pair, compare, comparison_json
from workers.training.dataset import Case, DatasetError, Part, find_cases, split
from workers.training.evaluation import Row, read_rows


class Command(BaseCommand):
    """Both read every picture as they would serve, each at its own card's threshold."""

    help = "Compare two models on a folder with NORMAL/ and PNEUMONIA/: paired tests, differences with 95 % intervals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("first", metavar="A", help="name, name@version or a folder with a card")
        parser.add_argument("second", metavar="B", help="the same")
        parser.add_argument("--data", type=Path, required=True, help="folder with NORMAL/ and PNEUMONIA/")
        parser.add_argument(
            "--part",
            choices=[part.value for part in Part],
            help="only those patients that both models' own split of this folder put there",
        )
        parser.add_argument("--json", type=Path, help="write all that was found to this file, too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            (_, first), (_, second) = load_reader(options["first"]), load_reader(options["second"])
            cases = _cases(first, second, options)
            comparison = compare(first, second, cases)
        except (DatasetError, ModelError) as error:
            raise CommandError(str(error)) from error
        self._report(comparison)
        if options["json"]:
            options["json"].write_text(json.dumps(comparison_json(comparison), indent=2) + "\n")

    def _report(self, comparison: Comparison) -> None:
        first, second = comparison.models
        self.stdout.write(f"A is {first}, B is {second}; {comparison.count} pictures were read by both.")
        for name, figure in comparison.differences.items():
            a, b = comparison.figures[name]
            self.stdout.write(
                f"{name:30} {a:.4f} and {b:.4f}: B {figure.value:+.4f}  "
                f"(95 % interval {figure.low:+.4f} to {figure.high:+.4f})"
            )
        test = comparison.mcnemar
        self.stdout.write(
            f"Right at A alone {test.only_first}, at B alone {test.only_second}: p = {test.p:.4g} (McNemar, exact)"
        )
        if comparison.delong:
            self.stdout.write(f"AUC: p = {comparison.delong.p:.4g} (DeLong)")
        self.stdout.write(f"They tell a reader something else on {len(comparison.disagreements)} pictures.")
        for pair in comparison.disagreements:
            self.stdout.write(_in_words(pair))


def _cases(first: Reader, second: Reader, options: dict[str, Any]) -> list[Case]:
    cases = find_cases(options["data"])
    if not options["part"]:
        return cases
    seeds = {reader.card.training["split"]["seed"] for reader in (first, second)}
    if len(seeds) > 1:
        raise CommandError("The two models were trained on different splits, so no part is common to both.")
    return split(cases, seeds.pop())[Part(options["part"])]


def _in_words(pair: Pair) -> str:
    return f"{pair.first.case.path}: {_answer(pair.first)} and {_answer(pair.second)}"


def _answer(row: Row) -> str:
    for read in read_rows([row]):
        doubt = f", {read.reading.indeterminate_reason}" if read.reading.indeterminate_reason else ""
        return f"{read.reading.label} ({read.reading.probability:.3f}{doubt})"
    return f"refused ({row.refusal})"
