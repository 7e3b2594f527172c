"""The README against the program."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from pydantic_settings.sources.types import _CliPositionalArg

from pipeline.settings import (
    CalibrateSettings,
    DemoSettings,
    ImportSettings,
    RecordSettings,
    ReplaySettings,
    StreamSettings,
)
from trainer.selection import choices
from trainer.settings import EvaluateSettings, TrainSettings

README = (Path(__file__).parent.parent / "README.md").read_text()


def settings_table(kind: type[BaseSettings]) -> str:
    """Return the table of a command's settings as the README holds it."""
    rows = ["| flag | default | meaning |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        if field.default is PydanticUndefined:
            default = "required"
        elif field.default in (None, []):
            default = ""
        elif isinstance(field.default, bool):
            default = "yes" if field.default else "no"
        elif isinstance(field.default, list):
            default = f"`{','.join(field.default)}`"
        else:
            default = f"`{field.default}`"
        flag = f"--{(field.alias or name).replace('_', '-')}"
        if any(marker is _CliPositionalArg for marker in field.metadata):
            flag = name.upper()
        rows.append(f"| `{flag}` | {default} | {field.description} |")
    return "\n".join(rows)


@pytest.mark.parametrize(
    "kind",
    [
        StreamSettings,
        CalibrateSettings,
        ReplaySettings,
        RecordSettings,
        ImportSettings,
        TrainSettings,
        EvaluateSettings,
        DemoSettings,
    ],
)
def test_settings_tables(kind: type[BaseSettings]) -> None:
    """The README lists every setting of a command with its default and meaning."""
    assert settings_table(kind) in README


@pytest.mark.parametrize(
    ("package", "following"), [("pipeline", "trainer/"), ("trainer", "tests/")]
)
def test_layout(package: str, following: str) -> None:
    """The README's layout names every module of the packages, and no other."""
    layout = README.split("## Layout")[1].split("```")[1]
    named = re.findall(r"\b([a-z_]+\.py)\b", layout.split(f"{package}/")[1].split(following)[0])
    modules = (Path(__file__).parent.parent / package).glob("[a-z]*.py")
    assert sorted(module.name for module in modules) == sorted(named)


def test_no_placeholder_is_left() -> None:
    """Every figure has been filled in."""
    assert "@@" not in README


def test_what_was_tried() -> None:
    """The README shows all that cross-validation said of the recipe and of what was tried."""
    assert choices.table(choices.shipped()) in README
