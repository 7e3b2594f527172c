"""All models that a name stands for, loaded."""

from pipeline.models.classifier import Classifier, find_models


def load_models(name_or_path: str, *, threads: int, batch_size: int) -> list[Classifier]:
    """Return the models of `find_models`, loaded.

    Raises:
        ModelError: one is not there, or cannot be used.
    """
    return [
        Classifier(path, threads=threads, batch_size=batch_size)
        for path in find_models(name_or_path)
    ]
