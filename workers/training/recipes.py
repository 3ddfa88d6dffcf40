"""What decides the outcome of a training run, besides the pictures; and the recipe of each shipped architecture."""

from dataclasses import dataclass, replace

from workers.training.augmentation import FREE, WORN, Freedom


@dataclass(frozen=True)
class Stage:
    """Some epochs at one input size. Small pictures first: most is learned there, at a fraction of the cost."""

    epochs: int
    size: int
    """Edge of the square input in pixels."""


@dataclass(frozen=True)
class Recipe:
    """One learning-rate cycle (a rise over the first epoch, then a cosine) over all stages."""

    stages: tuple[Stage, ...] = (Stage(20, 224),)
    input_size: int = 224
    """Edge of the square input in pixels at which the finished network reads."""
    freedom: Freedom = FREE
    """How far the pictures that are learned from may go from the files."""
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    ema_momentum: float = 0.0
    """Per step. The finished weights are this moving average of those that were learned (Polyak and Juditsky, 1992);
    with 0 they are the last ones."""
    frozen_until: str = ""
    """The backbone's layers up to this one keep their starting weights."""
    dtype_policy: str = "float32"
    teacher_share: float = 0.0
    """How much of each target is a teacher's answer instead of the label (Hinton et al., 2015, arXiv:1503.02531)."""
    seed: int = 1
    split_seed: int = 1
    """Which patients are learned from, validate, and are held out: apart from `seed`, so that seeds can be compared."""

    @property
    def epochs(self) -> int:
        """Of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def size_in(self, epoch: int) -> int:
        """The input size of an epoch, counted from 0."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.size
            epoch -= stage.epochs
        raise ValueError(f"the recipe has only {self.epochs} epochs")


_RECIPES = {
    "mobilenet_v2": Recipe(),
    "xception": Recipe(
        stages=(Stage(8, 72), Stage(6, 96), Stage(3, 128)),
        input_size=128,
        freedom=WORN,
        learning_rate=1e-3,
        ema_momentum=0.998,
        dtype_policy="mixed_bfloat16",
        teacher_share=0.6,
    ),
}


def recipe_for(architecture: str, seed: int = Recipe.seed) -> Recipe:
    """The recipe that an architecture ships with, or the plain one for one that has none."""
    return replace(_RECIPES.get(architecture, Recipe()), seed=seed)
