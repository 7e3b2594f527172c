"""The recipes of the models that ship, with the temperatures that were found on people held out."""

from dataclasses import replace

from pipeline.vocabulary import ANY
from trainer.selection import choices, worth
from trainer.training.recipe import PlacementRecipe, RawRecipe


def recipe_for(family: str) -> RawRecipe:
    """Return how a model of the training placement is trained that ships."""
    row = choices.shipped().row(family)
    return RawRecipe() if row is None else RawRecipe(temperature=row.temperature)


def placement_recipe_for(model: str) -> PlacementRecipe:
    """Return how a model for any place on the body is trained that ships, by its name."""
    temperature = worth.shipped().temperatures.get(model.removesuffix(ANY))
    recipe = PlacementRecipe()
    return recipe if temperature is None else replace(recipe, temperature=temperature)
