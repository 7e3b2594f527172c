"""Trains the models that the pipeline runs, and evaluates them; needs the extra ``train``."""
