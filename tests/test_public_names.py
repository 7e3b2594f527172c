import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text()


def fresh_interpreter(code: str) -> str:
    """Return what a new interpreter prints that runs some code."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", pipeline.__all__)
def test_each_public_name_is_there(name: str) -> None:
    """Every public name can be imported."""
    assert getattr(pipeline, name) is not None


def test_other_names_are_not() -> None:
    """A name that the package does not have is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'recogniser'"):
        _ = pipeline.recogniser  # type: ignore[attr-defined]


def test_public_names_are_listed() -> None:
    """``dir`` shows the names that have not been used yet."""
    shown = fresh_interpreter("import pipeline; print(set(pipeline.__all__) <= set(dir(pipeline)))")
    assert "True\n" == shown


def test_importing_the_package_loads_nothing() -> None:
    """``import pipeline`` loads no module of the package and no library."""
    code = (
        "import sys, pipeline;"
        "print([name for name in sys.modules"
        " if name.startswith('pipeline.') or name in ('numpy', 'scipy', 'onnxruntime', 'msgspec')])"
    )
    assert "[]\n" == fresh_interpreter(code)


def test_the_page_documents_each_public_name() -> None:
    """The page of the Python API has an entry for every public name, and no other."""
    documented = re.findall(r"^::: pipeline\.(\w+)$", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(pipeline.__all__)


def test_the_example_runs() -> None:
    """The example has at most fifteen lines, and recognises who stands and who lies."""
    _, *rest = PAGE.split("```python\n")
    example, printed = rest[0].split("```")[0], rest[0].split("```")[2]
    assert example.count("\n") <= 15
    lines = fresh_interpreter(example).splitlines()
    # 499 rows behind the filters make six windows of 128, 64 apart.
    assert {"anna": 6, "ben": 6} == Counter(line.split()[0] for line in lines[:-2])
    assert lines[-2:] == printed.strip().splitlines()
