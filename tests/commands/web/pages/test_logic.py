import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.commands.slow_sensors import default_cards

LOGIC = Path(__file__).parent / "logic"
PAGES = Path(__file__).parents[4] / "pipeline" / "commands" / "web" / "pages"
DOM = re.compile(r"\b(document|window|navigator)\.")
PURE = [file for file in sorted(PAGES.glob("*.js")) if "No DOM." in file.read_text()]


def node() -> str:
    """Return Node.js, if there is one that knows ES modules by their contents."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs the command node, which runs the pages' modules without a browser")
    text = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(number) for number in re.findall(r"\d+", text)[:2])
    if version < (20, 19):
        pytest.skip(f"needs Node.js 20.19 or newer, not {text.strip()}")
    return found


@pytest.mark.parametrize("file", sorted(LOGIC.glob("*.test.mjs")), ids=lambda file: file.name)
def test_the_pages_logic(file: Path) -> None:
    """The modules without a page do as their own tests say, one file a module."""
    run = subprocess.run([node(), "--test", str(file)], capture_output=True, text=True)
    assert 0 == run.returncode, run.stdout[-5000:]


def test_the_needed_rates_are_the_models() -> None:
    """What the phone's page says to be needed is on the cards of the default models."""
    text = (PAGES / "motion_samples.js").read_text()
    said = dict(re.findall(r"const (NEEDED_\w+_HZ) = (\d+);", text))
    at_waist, elsewhere = default_cards()
    assert {
        "NEEDED_ANYWHERE_HZ": f"{elsewhere.needed_rate_hz:g}",
        "NEEDED_AT_WAIST_HZ": f"{at_waist.needed_rate_hz:g}",
    } == said


@pytest.mark.parametrize("file", PURE, ids=lambda file: file.name)
def test_logic_knows_no_page(file: Path) -> None:
    """A module that says so touches no page, and neither does what it imports."""
    seen = {file}
    for module in (todo := [file]):
        text = re.sub(r"//.*|/\*.*?\*/", "", module.read_text())
        assert not DOM.search(text), module.name
        for name in re.findall(r'from "\./([\w.]+)"', text):
            if (found := PAGES / name) not in seen:
                seen.add(found)
                todo.append(found)


@pytest.mark.parametrize("file", sorted(PAGES.iterdir()), ids=lambda file: file.name)
def test_pages_hold_one_idea_a_file(file: Path) -> None:
    """No file of the pages is longer than a reader takes in at once."""
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", sorted(PAGES.glob("*.html")), ids=lambda file: file.name)
def test_pages_hold_no_code_of_their_own(file: Path) -> None:
    """Neither script nor style is within the HTML, and nothing comes from elsewhere."""
    text = file.read_text()
    assert [] == re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", text)
