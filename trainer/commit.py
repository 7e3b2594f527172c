"""The git commit of the project, for reports."""

import subprocess
from pathlib import Path


def source_commit() -> str | None:
    """Return the git commit that this file is of, with ``-dirty`` if any file was changed since.

    None if it is not in a checkout of the project.
    """
    file = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A package folder may lie in a checkout of something else.
        git("ls-files", "--error-unmatch", file.name)
        return git("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    except (OSError, subprocess.CalledProcessError):
        return None
