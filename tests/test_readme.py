"""The README and the pages of docs/ against the program."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pipeline.program_topics import PROGRAM_TOPICS
from pipeline.result_messages import EpisodePayload, PredictionPayload
from pipeline.serving.outputs import phone_info, phone_topics
from pipeline.settings import from_command_line
from tests.settings_tables import COMMANDS, PAGE, tables
from trainer.selection import choices, worth

if TYPE_CHECKING:
    from tests.brokers import Mosquitto

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
LIMIT_BYTES = 12 * 1024


def page_name(page: Path) -> str:
    """Return a page's path from the root."""
    return str(page.relative_to(ROOT))


def command_lines(page: Path) -> Iterator[tuple[dict[str, str], str, list[str]]]:
    """Yield the commands that a page shows: environment, name and arguments.

    A block's ``export`` holds for the commands below it.
    """
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        exported: dict[str, str] = {}
        for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE):
            words = shlex.split(line, comments=True)
            environment: dict[str, str] = {}
            is_export = words[0] == "export"
            for word in words[is_export:]:
                if "=" not in word:
                    break
                name, value = word.split("=", 1)
                environment[name] = value
            if is_export:
                exported |= environment
                continue
            name, *arguments = words[len(environment) :]
            yield exported | environment, name, arguments


SHOWN = [
    pytest.param(*shown, id=f"{page_name(page)} {' '.join(shown[1:2] + tuple(shown[2]))}")
    for page in PAGES
    for shown in command_lines(page)
]


def test_the_readme_is_short() -> None:
    """The front page has at most 12 KB."""
    assert README.stat().st_size <= LIMIT_BYTES


@pytest.mark.usefixtures("own_settings")
@pytest.mark.parametrize(("environment", "name", "arguments"), SHOWN)
def test_shown_commands_are_understood(
    environment: dict[str, str],
    name: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Every command of the project that a page shows takes the flags shown with it."""
    if name == "make":
        target = arguments[0]
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if arguments and f"{name} {arguments[0]}" in COMMANDS:  # a subcommand
        name, arguments = f"{name} {arguments[0]}", arguments[1:]
    if name not in COMMANDS:
        return
    for word in (*arguments, *environment.values()):
        if word.endswith(".secret"):
            (tmp_path / word).write_text("secret-of-some-length\n")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    assert isinstance(from_command_line(COMMANDS[name]), COMMANDS[name])


@pytest.mark.broker
def test_the_commands_of_the_readme_work_together(
    own_mosquitto: "Mosquitto",
    start_command: Callable[..., object],
    run_command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """As the README has them, har-stream answers every window that har-replay sends."""
    shown = {name: arguments for _, name, arguments in command_lines(README)}
    replay = shown["har-replay"]
    stream = next(
        arguments
        for _, name, arguments in command_lines(README)
        if name == "har-stream" and "--subscribe" not in arguments
    )
    own_mosquitto.start()
    port = ["--port", str(own_mosquitto.port)]
    start_command("har-stream", *stream, *port)
    own_mosquitto.await_har_stream()
    played = ["--recording", "simulated", "--duration", "10"]
    done = run_command("har-replay", *replay, *port, *played)
    assert (0, "") == (done.returncode, done.stderr)
    windows = re.search(r"windows +(\d+) received of (\d+) expected", done.stdout)
    assert windows is not None, done.stdout
    assert windows[1] == windows[2] != "0"


def test_settings_tables() -> None:
    """The page of settings lists every setting of each command with its default and meaning."""
    assert tables() in PAGE.read_text(), "python -m tests.settings_tables writes the page anew"


@pytest.mark.parametrize("package", ["pipeline", "trainer"])
def test_layout(package: str) -> None:
    """The README's layout names every folder of the packages, and no other."""
    layout = README.read_text().split("## Layout")[1].split("```")[1]
    folders: list[str] = []
    path: list[str] = []
    for indent, name in re.findall(r"^( *)([a-z_]+)/ ", layout, re.MULTILINE):
        path[len(indent) // 2 :] = [name]
        folders.append("/".join(path))
    packages = [
        str(file.parent.relative_to(ROOT)) for file in ROOT.glob(f"{package}/**/__init__.py")
    ]
    named = [folder for folder in folders if folder.split("/")[0] == package]
    assert sorted([*packages, *_data_folders(package)]) == sorted(named)


def _data_folders(package: str) -> list[str]:
    """Return the folders of a package that hold files and no module."""
    holding = {file.parent for file in (ROOT / package).rglob("*") if file.is_file()}
    return [
        str(folder.relative_to(ROOT))
        for folder in holding
        if "__pycache__" not in folder.parts and not (folder / "__init__.py").exists()
    ]


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "wire.md"], ids=page_name)
def test_topics_of_the_program(page: Path) -> None:
    """The README and the page on the wire have all topics that are about har-stream itself."""
    cells = re.findall(r"^\| ([^|]+) \|", page.read_text(), re.MULTILINE)
    assert set() == PROGRAM_TOPICS - {
        topic for cell in cells for topic in re.findall("`(.+?)`", cell)
    }


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("prediction", PredictionPayload),
        ("activity", phone_topics._Change),
        ("episode", EpisodePayload),
        ("info", phone_info._Info),
    ],
)
def test_keys_of_results(topic: str, message: type[msgspec.Struct]) -> None:
    """The page on the wire names every key of a phone's results, and no other."""
    page = (DOCS / "reference" / "wire.md").read_text()
    row = re.search(rf"^\| `har/<device>/{topic}` \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    assert row is not None
    keys = [field.encode_name for field in msgspec.structs.fields(message)]
    assert sorted(keys) == sorted(re.findall("`(.+?)`", row[1]))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_between_pages(page: Path) -> None:
    """Every relative link leads to a file of the project."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [] == [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_exist(page: Path) -> None:
    """Every file of the project that a page names is there."""
    named = re.findall(r"\b(?:pipeline|trainer|tests|deploy)/[\w/.-]*[\w/]", page.read_text())
    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_figures_of_the_readme() -> None:
    """Every figure of the README's results stands in a page of results, where it is dated."""
    results = "".join(page.read_text() for page in (DOCS / "results").glob("*.md"))
    rows = README.read_text().split("## Results")[1].split("## ")[0].splitlines()
    figures = [row.split("|")[2] for row in rows if row.startswith("|")][2:]
    measured = re.findall(r"\d+(?:,\d+)*(?:\.\d+)?", " ".join(figures))
    assert 6 == len(figures)
    assert [] == [figure for figure in measured if figure not in results]


@pytest.mark.parametrize(
    ("worn", "data_sets"),
    [
        ("at the waist, any way round", ["UCI HAR"]),
        ("in a trouser pocket", ["MotionSense", "PDIoT_pocket", "WISDM2019_phone"]),
        ("at the chest", ["PDIoT_chest"]),
        ("held flat in the hand, walking", ["IndoorSurvey_hand"]),
    ],
)
def test_what_to_expect(worn: str, data_sets: list[str]) -> None:
    """The README has what the default model was worth on the sets left out of its training."""
    rows = {
        (row.data_set, row.frame): f"{row.seeds[0].balanced_accuracy:.2f}"
        for row in worth.shipped().of("cnn-lstm")
        if row.variation == worth.RECIPE
    }
    learnt, unknown = (
        ", ".join(rows[name, frame] for name in data_sets) for frame in ("known", "unknown")
    )
    assert f"| {worn} | {learnt} | {unknown} |" in README.read_text()


def dates_of_results() -> dict[str, str]:
    """Return the date of each benchmark's figures in the pages of results, and of har-evaluate's.

    Of a benchmark with several blocks the date is that of the default model.
    """
    results = "".join(page.read_text() for page in (DOCS / "results").glob("*.md"))
    begin = r"<!-- (?:figures: )?(\w+)(?:, cnn-lstm)? -->\n\n```\n(\d{4}-\d\d-\d\d)"
    dates = dict(re.findall(begin, results))
    return dates | {"har-evaluate": dates["evaluation"]}


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "model-card.md"], ids=page_name)
def test_dates_of_figures(page: Path) -> None:
    """A figure outside the pages of results has the date that it has there."""
    shown = re.findall(
        r"`(?:tests/benchmarks/)?([\w-]+)(?:\.py)?`, (\d{4}-\d\d-\d\d)", page.read_text()
    )
    assert shown
    dates = dates_of_results()
    assert [(name, dates[name]) for name, _ in shown] == shown


def test_size_of_a_checkpoint() -> None:
    """The page on files has the size that the benchmark of the checkpoint measured."""
    results = (DOCS / "results" / "load.md").read_text()
    measured = re.findall(r"^  size +(\S+ MiB)", results, re.MULTILINE)
    page = (DOCS / "reference" / "files-and-state.md").read_text()
    assert measured == re.findall(r"1,000 phones\s+take (\S+ MiB)", page)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_no_placeholder_is_left(page: Path) -> None:
    """Every figure has been filled in."""
    assert "@@" not in page.read_text()


def test_what_was_tried() -> None:
    """The page on the ablation shows all that cross-validation gave for the recipe and the rest."""
    page = (DOCS / "results" / "ablation.md").read_text()
    assert choices.table(choices.shipped()) in page
    assert worth.table(worth.shipped().rows) in page
