"""The site of the documentation; `make docs` builds it, and checks its links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_all_pages_are_in_the_navigation() -> None:
    """Each page has its place there, and nothing else has one."""
    listed = re.findall(r"^ *- (\S+\.md)$", (ROOT / "deploy/mkdocs.yml").read_text(), re.MULTILINE)
    pages = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(pages) == sorted(listed)
