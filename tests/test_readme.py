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


def test_layout() -> None:
    """Every module that the README's layout names exists, and no placeholder is left."""
    layout = README.split("## Layout")[1].split("```")[1]
    pipeline = Path(__file__).parent.parent / "pipeline"
    named = re.findall(r"\b([a-z_]+\.py)\b", layout)
    assert [] == [name for name in named if not (pipeline / name).exists()]
    assert "@@" not in README
