"""`manage.py train`: from a folder of radiographs to a model's folder with its card."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.inference.architectures import ARCHITECTURES
from workers.training.dataset import DatasetError
from workers.training.fit import Recipe
from workers.training.run import train


class Command(BaseCommand):
    """Seeded, with a checkpoint after each epoch; `--resume` goes on from the last."""

    help = "Train, calibrate on validation patients, measure on held-out patients, and package."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with NORMAL/ and PNEUMONIA/")
        parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="mobilenet_v2")
        parser.add_argument("--out", type=Path, required=True, help="where checkpoint, weights and card go")
        parser.add_argument("--backbone-weights", type=Path, help="starting weights; at random without")
        parser.add_argument("--model-version", default="1.0.0", help="the version on the card")
        parser.add_argument("--epochs", type=int, default=Recipe.epochs)
        parser.add_argument("--seed", type=int, default=Recipe.seed)
        parser.add_argument("--resume", action="store_true", help="go on from the last whole epoch in --out")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            card = train(
                data=options["data"],
                architecture=ARCHITECTURES[options["architecture"]],
                recipe=Recipe(epochs=options["epochs"], seed=options["seed"]),
                out=options["out"],
                version=options["model_version"],
                backbone_weights=options["backbone_weights"],
                resume=options["resume"],
            )
        except (DatasetError, FileNotFoundError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(card.model_dump_json(indent=2))
