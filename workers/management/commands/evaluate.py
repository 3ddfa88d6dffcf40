"""`manage.py evaluate`: how well a shipped model does on a folder of radiographs."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.inference.card import ModelError
from workers.inference.reader import Reader
from workers.training.dataset import DatasetError, Part, find_cases, split
from workers.training.evaluation import evaluate, figures_json
from workers.training.metrics import Figure


class Command(BaseCommand):
    """Every picture goes through the reader that serves: decode, preprocess, engine, threshold of the card."""

    help = "Measure a model on a folder with NORMAL/ and PNEUMONIA/, with 95 % intervals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with NORMAL/ and PNEUMONIA/")
        parser.add_argument("--model", default="", help="a model of CXR_MODELS_DIR; the site's by default")
        parser.add_argument(
            "--part",
            choices=[part.value for part in Part],
            help="only those patients that the model's own split of this folder put there",
        )
        parser.add_argument("--json", type=Path, help="write the figures to this file, too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cases = find_cases(options["data"])
            reader = Reader(settings.CXR_MODELS_DIR / (options["model"] or settings.CXR_MODEL), settings.CXR_ENGINE)
            if options["part"]:
                cases = split(cases, reader.card.training["split"]["seed"])[Part(options["part"])]
            evaluation = evaluate(reader, cases)
        except (DatasetError, ModelError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{reader.card.name} {reader.card.version} on {len(cases)} pictures, {reader.engine}")
        for name, figure in evaluation.figures.items():
            self.stdout.write(f"{name:12} {_in_words(figure)}")
        self.stdout.write(f"{'threshold':12} {reader.card.threshold:.4f} (from the card)")
        for path, message in evaluation.unreadable.items():
            self.stderr.write(f"{path}: {message}")
        if options["json"]:
            options["json"].write_text(json.dumps(figures_json(evaluation, reader.card.threshold), indent=2))


def _in_words(figure: Figure) -> str:
    return f"{figure.value:.4f}  (95 % interval {figure.low:.4f} to {figure.high:.4f})"
