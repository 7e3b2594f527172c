import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks import stage_times
from tests.benchmarks.stage_clock import StageClock
from tests.benchmarks.stage_times import Place

PACKAGE: Final = {
    "__init__.py": "",
    "work.py": "def outer():\n    return inner()\ndef inner():\n    return _hidden()\n"
    "def _hidden():\n    return 1\n",
    "special.py": "class Machine:\n    def turn(self):\n        return 2\n"
    "    def stop(self):\n        return 3\n",
    "program.py": "from stage_package.work import outer\n"
    "from stage_package.special import Machine\n"
    "def main():\n    return outer() + Machine().turn() + Machine().stop()\n",
}
"""A program whose parts import each other by name"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package that can be imported; neither it nor timers stay."""
    folder = tmp_path / "stage_package"
    folder.mkdir()
    for name, text in PACKAGE.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield folder.name
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_a_stage_is_what_modules_do_however_they_call_it(package: str) -> None:
    """Functions imported by name are timed too; the narrowest place has a method."""
    clock = StageClock()
    stages = {
        "all": [Place(package, methods="outer|inner|turn|stop")],
        "special": [Place(f"{package}.special")],
        "stop": [Place(f"{package}.special", "Machine", "stop")],
    }
    stage_times.install(clock, stages)
    assert 6 == import_module(f"{package}.program").main()
    assert {"all": 1, "special": 1, "stop": 1} == clock.calls


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (("pipeline.gone", "Resampler"), "there is no pipeline.gone"),
        (("pipeline.gone.further", ""), "there is no pipeline.gone.further"),
        (("pipeline.recognition.preparation.windows", "Gone"), "has no Gone with a method"),
        (("pipeline.recognition.preparation.windows", "Windower", "gone"), "has no Windower with"),
    ],
)
def test_stage_that_is_gone_is_named(place: tuple[str, ...], says: str) -> None:
    """A stage that was renamed is not silently taken for one that costs nothing."""
    import_module("pipeline.recognition.preparation.windows")
    stages = {"window": [Place(*place)]}
    with pytest.raises(stage_times.StageError, match=f"^window: .*{re.escape(says)}"):
        stage_times.install(StageClock(), stages)


def test_stage_that_was_never_entered_is_named() -> None:
    """Nor is one whose methods are no longer called."""
    note = {"seconds": {}, "calls": {}, "left": {}, "entry": 0.0, "main": 0.0, "process": 0.0}
    with pytest.raises(stage_times.StageError, match=r"^decode: what is timed was never called"):
        stage_times.between(note, note, ["decode"])


def test_what_the_timers_take_is_of_no_stage() -> None:
    """Half of an entry falls into the stage that is entered, half into the one that enters."""
    before = {"seconds": {}, "calls": {}, "left": {}, "main": 0.0, "process": 0.0}
    after = {
        "seconds": {"decode": 3.0, "infer": 4.0, "rest": 1.0},
        "calls": {"decode": 10, "infer": 20},
        "left": {"rest": 10, "decode": 20},
        "entry": 0.01,
        "main": 8.0,
        "process": 9.0,
    }
    expected = {"decode": 2.85, "infer": 3.9, "rest": 0.95, "timers": 0.3, "network": 1.0}
    assert pytest.approx(expected) == stage_times.between(before, after, ["decode", "infer"])
