"""The licences of what is deployed beside the program, which is under Apache-2.0."""

import re
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.bill_of_materials import licences, write_bill
from tests.packaging.built import REQUIREMENTS

DEPLOYED: Final = ("service", "demo", "trainer")
"""Locks of what runs where the program is used; developers' tools are not passed on"""

PERMISSIVE: Final = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"),
    *("MIT-CMU", "PSF-2.0", "Python-2.0", "Zlib"),
    # what older metadata say in place of SPDX's names
    "License :: OSI Approved :: Apache Software License",
    "License :: OSI Approved :: BSD License",
}
"""They ask for their notices, which each package brings along, and nothing else"""

REASONS: Final = {
    "certifi": "MPL-2.0: asks for the source of changes to its files; they are used unchanged",
    "keras": "says it in a file alone: Apache-2.0",
    "namex": "says it in a file alone: Apache-2.0",
    "pathspec": "MPL-2.0, as certifi; hatchling's, which builds the package",
    "protobuf": "says it in a file alone: BSD-3-Clause",
    "psycopg": "LGPL-3.0: imported as it is, exchangeable, only with the extra `history`",
    "psycopg-binary": "as psycopg",
    "shtab": "MPL-2.0, as certifi",
}
"""What else may be deployed, and why"""

ELSEWHERE: Final = {"colorama", "tensorflow"}
"""Packages of the locks that other systems than Linux on x86-64 need: BSD-3-Clause, Apache-2.0"""


def locked(lock: str) -> set[str]:
    """Return the names of what a lock has."""
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    return {name.replace(".", "-") for name in re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE)}


def is_permissive(expression: str) -> bool:
    """Tell whether a licence lets one choose permissive ones alone.

    The expressions have no brackets but in names; `OR` offers a choice, `AND` adds.
    """
    return any(
        all(licence in PERMISSIVE for licence in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("BSD-3-Clause AND MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", False),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_which_are_permissive(expression: str, expected: bool) -> None:
    """One permissive choice is enough; one other part is too much."""
    assert expected == is_permissive(expression)


def test_nothing_is_deployed_whose_licence_asks_for_more(tmp_path: Path) -> None:
    """Each locked package is permissive, or named above with a reason that is still needed."""
    found = licences(write_bill(Path(sys.executable), tmp_path / "bill.json"))
    names = set().union(*map(locked, DEPLOYED)) - ELSEWHERE
    if not names <= found.keys():
        pytest.skip(f"needs all extras: make setup; {sorted(names - found.keys())} are missing")
    others = {
        name: sorted(found[name])
        for name in sorted(names)
        if not found[name] or not all(map(is_permissive, found[name]))
    }
    assert sorted(REASONS) == sorted(others), others
