"""Settings of a training that takes a second."""

from pathlib import Path

from trainer.commands.train_settings import TrainSettings


def settings_for(out: Path, **changes: object) -> TrainSettings:
    """Return settings of a training that takes a second, with some changes."""
    small = {
        "model": "lstm",
        "units": 6,
        "dense_units": 8,
        "epochs": 2,
        "batch_size": 32,
        "validation_subjects": 2,
    }
    return TrainSettings(_env_file=None, _cli_parse_args=False, out=out, **small | changes)
