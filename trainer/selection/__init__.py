"""Chooses recipes by cross-validation over the training subjects."""
