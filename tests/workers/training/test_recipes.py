"""Recipes: one for each architecture."""

import pytest

from workers.inference.architectures import ARCHITECTURES
from workers.training.recipes import Recipe, recipe_for


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_reads_at_the_size_that_it_learned_at_last(name: str) -> None:
    recipe = recipe_for(name)
    assert recipe.size_in(recipe.epochs - 1) == recipe.input_size


def test_an_architecture_without_a_recipe_of_its_own_has_the_plain_one() -> None:
    assert recipe_for("resnet_9000", seed=7) == Recipe(seed=7)
