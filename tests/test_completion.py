"""Shells complete the commands: bash itself is asked, with the script that a command prints."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

Run = Callable[..., CompletedProcess[str]]


def completed(script: str, folder: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of the words of a command line."""
    name = words[0]
    asked = (
        f"{script}\n"
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        f"$(complete -p {name} | sed -E 's/.*-F ([^ ]+).*/\\1/') {name}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    result = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=folder, capture_output=True, text=True, check=True
    )
    return {line.rstrip("/ ") for line in result.stdout.splitlines() if line}


@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        (["har-stream", "--bro"], {"--broker"}, {"--port"}),
        (["har-stream", "--no-t"], {"--no-tls"}, {"--tls"}),
        (["har-stream", "--log-format", ""], {"text", "json"}, {"recording.parquet"}),
        (["har-stream", "--log-level", "d"], {"debug"}, {"info"}),
        (["har-stream", "--cafile", "re"], {"recording.parquet"}, {"--broker"}),
        (["har-stream", "--protocol", ""], {"3.1.1", "5"}, set()),
        (["har-timeline", "re"], {"recording.parquet"}, {"--json"}),
        (["har-history", "sh"], {"show"}, {"run", "export"}),
        (["har-history", "show", "--we"], {"--week"}, {"--broker"}),
        (["har-bridge", "--only", ""], {"samples", "results"}, {"recording.parquet"}),
        (["har-train", "--recipe", ""], {"raw", "plain"}, set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_bash_offers(
    run_command: Run, tmp_path: Path, words: list[str], offered: set[str], not_offered: set[str]
) -> None:
    """Flags, choices where there are some, files where there are files, and subcommands."""
    (tmp_path / "recording.parquet").touch()
    printed = run_command(words[0], "--print-completion", "bash")
    assert ("", 0) == (printed.stderr, printed.returncode)
    offers = completed(printed.stdout, tmp_path, *words)
    assert offered <= offers
    assert not offers & not_offered


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells(run_command: Run, shell: str) -> None:
    """They have scripts too, each with the flags."""
    printed = run_command("har-web", "--print-completion", shell)
    assert ("", 0) == (printed.stderr, printed.returncode)
    assert "listen" in printed.stdout
    assert "har-web" in printed.stdout


def test_a_shell_that_is_none(run_command: Run) -> None:
    """Those that there are are named."""
    refused = run_command("har-web", "--print-completion", "fish")
    assert 2 == refused.returncode
    assert "choose from 'bash', 'zsh', 'tcsh'" in refused.stderr
