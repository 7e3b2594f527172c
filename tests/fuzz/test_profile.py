import re

from hypothesis import settings

from tests.processes import ROOT


def test_make_fuzz_explores() -> None:
    """`make fuzz` draws other inputs each time; the tests draw the same."""
    profiles = re.findall(r"--hypothesis-profile (\w+)", (ROOT / "Makefile").read_text())
    assert ["explore"] == profiles
    assert not settings.get_profile("explore").derandomize
    assert settings.get_profile("project").derandomize


def test_what_was_found_is_tried_again() -> None:
    """An input that breaks a property is kept for the next exploration, and for no test."""
    assert settings.get_profile("explore").database is not None
    assert settings.get_profile("project").database is None
