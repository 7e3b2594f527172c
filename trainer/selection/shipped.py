"""The recipes of the models that ship, with the temperatures that cross-validation found."""

from dataclasses import replace

from pipeline.vocabulary import ANY
from trainer.selection.choices import LEVELLED, RECIPE, shipped
from trainer.training.recipe import ANY_RECIPE, PlacementRecipe, RawRecipe


def recipe_for(model: str) -> RawRecipe:
    """Return how a model that ships is trained, by its name."""
    recipe, variation = (ANY_RECIPE, LEVELLED) if model.endswith(ANY) else (RawRecipe(), RECIPE)
    row = shipped().row(model.removesuffix(ANY), variation)
    return recipe if row is None else replace(recipe, temperature=row.temperature)


def placement_recipe_for(model: str) -> PlacementRecipe:
    """Return how a model for any place on the body is trained that ships, by its name."""
    return PlacementRecipe()
