"""`manage.py train`: from a folder of radiographs to a model's folder with its card."""

import re
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import ModelError
from workers.training.dataset import DatasetError
from workers.training.recipes import Recipe, Stage, recipe_for
from workers.training.run import Sources, train


def _stages(text: str) -> tuple[Stage, ...]:
    """`26x160,4x224`: epochs and input size of each stage."""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*(,[1-9]\d*x[1-9]\d*)*", text):
        raise ArgumentTypeError(f"{text!r} must be epochs x size of each stage, such as 26x160,4x224")
    return tuple(Stage(*map(int, stage.split("x"))) for stage in text.split(","))


class Command(BaseCommand):
    """Seeded, with a checkpoint after each epoch; `--resume` goes on from the last, and repeats what follows it."""

    help = "Train, fit the gate, calibrate on validation patients, measure on held-out patients, and package."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with NORMAL/ and PNEUMONIA/")
        parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="mobilenet_v2")
        parser.add_argument("--out", type=Path, required=True, help="where checkpoint, weights and card go")
        parser.add_argument("--negatives", type=Path, help="pictures that are no chest radiographs, a folder per kind")
        parser.add_argument("--backbone-weights", type=Path, help="starting weights; at random without")
        parser.add_argument(
            "--teacher", type=Path, help="a model's folder, whose answers are learned beside the labels"
        )
        parser.add_argument("--model-version", default="1.0.0", help="the version on the card")
        parser.add_argument(
            "--mirrored", action="store_true", help="the finished reader looks at the mirror image, too"
        )
        parser.add_argument("--stages", type=_stages, help="instead of the recipe's, such as 26x160,4x224")
        parser.add_argument("--input-size", type=int, help="at which the finished network reads")
        parser.add_argument("--seed", type=int, default=Recipe.seed, help="of batches and dropout, not of the split")
        parser.add_argument("--resume", action="store_true", help="go on from the last whole epoch in --out")

    def handle(self, *args: Any, **options: Any) -> None:
        recipe = recipe_for(options["architecture"], options["seed"])
        wanted = {name: options[name] for name in ("stages", "input_size") if options[name]}
        try:
            card = train(
                sources=Sources(options["data"], options["negatives"], options["backbone_weights"], options["teacher"]),
                architecture=ARCHITECTURES[options["architecture"]],
                recipe=replace(recipe, **wanted),
                out=options["out"],
                version=options["model_version"],
                mirrored=options["mirrored"],
                resume=options["resume"],
            )
        except (DatasetError, ModelError, FileNotFoundError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(card.model_dump_json(indent=2))
