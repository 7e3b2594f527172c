import itertools
import re
from collections.abc import Callable
from importlib.metadata import version
from subprocess import CompletedProcess

import pytest

from pipeline.setting_groups import GROUPS, TRAINING, group_of
from pipeline.settings import CommandSettings
from tests.settings_tables import COMMANDS

Run = Callable[..., CompletedProcess[str]]

COMMON = "this program"
"""The group of what every command has"""


def titles_of(help_text: str) -> list[str]:
    """Return the titles of the groups."""
    return re.findall(r"^([a-z].*):$", help_text, re.MULTILINE)


@pytest.mark.parametrize(("name", "kind"), COMMANDS.items(), ids=list(COMMANDS))
def test_every_setting_has_its_group(name: str, kind: type[CommandSettings]) -> None:
    """None is left without, in no command."""
    for field in kind.model_fields:
        group_of(field, kind.groups)


@pytest.mark.parametrize("groups", [GROUPS, TRAINING], ids=["all", "har-train"])
def test_groups_name_settings_once(groups: dict[str, tuple[str, ...]]) -> None:
    """Each name is in one group, and is a setting of some command."""
    named = list(itertools.chain(*groups.values()))
    assert len(set(named)) == len(named)
    kinds = [kind for kind in COMMANDS.values() if kind.groups is groups]
    assert set(named) == {field for kind in kinds for field in kind.model_fields}


@pytest.mark.parametrize(("name", "kind"), COMMANDS.items(), ids=list(COMMANDS))
def test_help(run_command: Run, name: str, kind: type[CommandSettings]) -> None:
    """Its groups have the order that they have in every command, and fit into any terminal."""
    for columns in ("80", "100"):
        result = run_command(*name.split(), "--help", COLUMNS=columns)
        assert ("", 0) == (result.stderr, result.returncode)
        titles = titles_of(result.stdout)
        assert [*(title for title in kind.groups if title in titles), COMMON] == titles
        assert max(map(len, result.stdout.splitlines())) <= int(columns)
        assert "None" not in result.stdout
        assert "==SUPPRESS==" not in result.stdout
    flags = re.findall(r"^  (?:--(?:\[no-\])?)?([\w-]+)", result.stdout, re.MULTILINE)
    shown = {(field.alias or name).replace("_", "-") for name, field in kind.model_fields.items()}
    assert shown <= {flag.lower() for flag in flags}


def test_what_is_used_most_comes_first(run_command: Run) -> None:
    """The broker's name before its certificates, files before flags."""
    text = run_command("har-stream", "--help").stdout
    flags = re.findall(r"^  --(?:\[no-\])?([\w-]+)", text, re.MULTILINE)
    assert ["broker", "port", "username"] == flags[:3]
    assert flags.index("state") < flags.index("checkpoint")
    text = run_command("har-timeline", "--help").stdout
    assert re.search(r"^usage: har-timeline \[-h\] \[FLAGS\] \[FILES \.\.\.\]$", text, re.MULTILINE)
    assert "what to read:\n  FILES" in text


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in COMMANDS}))
def test_version(run_command: Run, name: str) -> None:
    """Each command names itself and the version, whatever else it would need."""
    result = run_command(name, "--version")
    assert (f"{name} {version('har-stream')}\n", "", 0) == (
        result.stdout, result.stderr, result.returncode,
    )  # fmt: skip
