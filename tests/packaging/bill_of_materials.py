"""What is deployed and under which licences, as CycloneDX's software bill of materials.

``python -m tests.packaging.bill_of_materials FOLDER`` writes one of the service and one of the
trainer, each of an environment that has nothing else.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.packaging.built import build, install, wheel_in
from tests.processes import ROOT

LOCKS: Final = {"service": "har-stream", "trainer": "har-train"}
"""Locks of which there is a bill, and its name"""


def write_bill(python: Path, file: Path) -> dict[str, Any]:
    """Write the bill of what an interpreter has installed, and return it."""
    subprocess.run(
        [
            *(
                Path(sys.executable).with_name("cyclonedx-py"),
                "environment",
                "--output-reproducible",
            ),
            *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application"),
            *("--of", "JSON", "--output-file", file, python),
        ],
        check=True,
        stderr=subprocess.DEVNULL,  # remarks on metadata that it cannot use
    )
    bill: dict[str, Any] = json.loads(file.read_text())
    return bill


def licences(bill: dict[str, Any]) -> dict[str, set[str]]:
    """Return each component's licences: SPDX expressions, or what its metadata say instead."""
    return {
        component["name"].lower().replace("_", "-"): {
            entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
            for entry in component.get("licenses", ())
        }
        for component in bill["components"]
    }


def main() -> None:
    """Write all bills into the folder of the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        build(Path(work), "--wheel")
        for lock, name in LOCKS.items():
            programs = install(Path(work) / lock, wheel_in(Path(work)), lock=lock)
            write_bill(programs / "python", folder / f"{name}.cdx.json")


if __name__ == "__main__":
    main()
