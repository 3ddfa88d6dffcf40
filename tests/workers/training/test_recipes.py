"""Recipes: one for each architecture, and a gentler one for a run that goes on from another."""

import pytest

from workers.inference.architectures import ARCHITECTURES
from workers.training.recipes import Recipe, recipe_for


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_reads_at_the_size_that_it_learned_at_last(name: str) -> None:
    recipe = recipe_for(name)
    assert recipe.size_in(recipe.epochs - 1) == recipe.input_size


def test_an_architecture_without_a_recipe_of_its_own_has_the_plain_one() -> None:
    assert recipe_for("resnet_9000", seed=7) == Recipe(seed=7)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_run_that_goes_on_learns_gently_and_mostly_from_its_teachers(name: str) -> None:
    first, second = recipe_for(name, seed=7), recipe_for(name, seed=7, goes_on=True)
    assert (second.seed, second.input_size, second.dtype_policy) == (7, first.input_size, first.dtype_policy)
    assert second.epochs < first.epochs
    assert second.learning_rate < first.learning_rate
    assert second.teacher_share > 0.5
    assert not second.teacher_sees_wear
    assert second.freedom.jpeg_quality[0] < first.freedom.jpeg_quality[0]
