from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from pipeline.vocabulary import FAMILIES, SHIPPED_MODELS
from tests.trainer.small_training import settings_for
from trainer.commands.train_settings import TrainSettings


def test_settings_of_the_plain_recipe_go_with_no_other(tmp_path: Path) -> None:
    """With the raw recipe, which ignores them, they are refused."""
    with pytest.raises(ValidationError, match=r"batch_size, dense_units.*only with --recipe plain"):
        settings_for(tmp_path, recipe="raw")


def test_the_recipe_that_is_taken(tmp_path: Path) -> None:
    """The raw one, unless settings of the plain one are given."""
    raw = TrainSettings(_env_file=None, _cli_parse_args=False, out=tmp_path, model="lstm")
    assert "raw" == raw.recipe
    assert "plain" == settings_for(tmp_path).recipe


def test_the_models_that_are_trained(tmp_path: Path) -> None:
    """All that ship, by the raw recipe; the plain one has no form for phones worn otherwise."""
    every = TrainSettings(_env_file=None, _cli_parse_args=False, out=tmp_path)
    assert SHIPPED_MODELS == every.plan.models
    assert FAMILIES == settings_for(tmp_path, model="all").plan.models
    assert {"all", *SHIPPED_MODELS} == set(get_args(TrainSettings.model_fields["model"].annotation))
    with pytest.raises(ValidationError, match="lstm-any: only with --recipe raw"):
        settings_for(tmp_path, model="lstm-any")


def test_placement_sets_go_with_models_for_any_place(tmp_path: Path) -> None:
    """They are refused where no model learns from them; names may be given with commas."""
    settings = TrainSettings(_env_file=None, _cli_parse_args=["--without", "A,B", "--without=C"])
    assert (["A", "B", "C"], True) == (settings.without, settings.learns_from_placement_sets)
    for given in ({"model": "lstm"}, {"recipe": "plain"}, {"epochs": 3}):
        with pytest.raises(ValidationError, match="placements: only for NAME-any, by --recipe raw"):
            TrainSettings(
                _env_file=None, _cli_parse_args=False, out=tmp_path, placements=tmp_path, **given
            )


def test_settings_from_environment_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag goes before a HAR_* variable, and that before the default."""
    monkeypatch.setenv("FROM", "somebody@example.org")
    assert TrainSettings(_env_file=None, _cli_parse_args=[]).parent is None
    monkeypatch.setenv("HAR_FROM", "model.keras")
    assert Path("model.keras") == TrainSettings(_env_file=None, _cli_parse_args=[]).parent
    monkeypatch.setenv("HAR_EPOCHS", "3")
    monkeypatch.setenv("HAR_UNITS", "32")
    settings = TrainSettings(_env_file=None, _cli_parse_args=["--units", "16"])
    assert (3, 16, 64) == (settings.epochs, settings.units, settings.filters)
