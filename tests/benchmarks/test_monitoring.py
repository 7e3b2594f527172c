import inspect
import re
from importlib import import_module

import pytest

from tests.benchmarks.monitoring_times import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_timed_is_there(stage: str) -> None:
    """Each class that a stage is made of has the methods that are timed."""
    for place in STAGES[stage]:
        methods = vars(getattr(import_module(place.module), place.name))
        assert [
            name
            for name, function in methods.items()
            if inspect.isfunction(function) and re.fullmatch(place.methods, name)
        ]
