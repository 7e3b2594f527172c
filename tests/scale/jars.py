"""The Java parts of the tests: which there are, and where `make scale-parts` has put them."""

import shutil
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.processes import ROOT

JARS: Final = ROOT / "out" / "scale"
"""Folder with a folder of jars for each profile of pom.xml"""


def java() -> str:
    """Return the path of Java; skip the test where it is not installed."""
    found = shutil.which("java")
    if found is None:
        pytest.skip("needs Java 17: make test-scale installs it where it can")
    return found


Profile = Literal["kafka", "spark"]


def has_jars(profile: Profile) -> bool:
    """Return whether Java and the jars of a profile are there."""
    return shutil.which("java") is not None and any((JARS / profile).glob("*.jar"))


def jars(profile: Profile) -> Path:
    """Return the folder with a profile's jars; skip the test where they could not be had."""
    folder = JARS / profile
    if not any(folder.glob("*.jar")):
        pytest.skip(f"needs the jars of {profile}: make test-scale fetches them by Maven")
    return folder
