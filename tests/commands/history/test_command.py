import csv
import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import Engine

from pipeline.commands.history.writing import RowWriter
from pipeline.commands.timeline.machine_output import COLUMNS
from pipeline.settings import from_command_line
from tests.commands.history.published import MONDAY, content, episode, prediction, rows_of

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def kept(engine: Engine) -> Engine:
    """A history of two phones on Monday, one of them with a name that is a formula."""
    RowWriter(engine).write(
        rows_of(
            episode("=phöne", MONDAY + 3600, MONDAY + 7200.5),
            prediction("=phöne", MONDAY + 3600),
            episode("b", MONDAY + 80_000, MONDAY + 90_000, "transition"),
        )
    )
    return engine


@pytest.mark.usefixtures("kept")
def test_a_day_is_shown(run_command: Run, database: str) -> None:
    """Of the phone that is named, in the zone that is named."""
    result = run_command(
        "har-history", "show", "--device", "=phöne", "--day", "2026-11-23", "--zone", "UTC",
        HAR_DATABASE=database,
    )  # fmt: skip
    assert (0, "") == (result.returncode, result.stderr)
    lines = result.stdout.splitlines()
    assert "=phöne, Mon 2026-11-23 UTC" == lines[0]
    assert "01:00:00  02:00:00  1 h 00 min  W WALKING         0.90" in result.stdout
    assert 100 == len(lines[2])


@pytest.mark.usefixtures("kept")
def test_phones_are_listed(run_command: Run, database: str) -> None:
    """With the first and the last time of each."""
    result = run_command("har-history", "devices", HAR_DATABASE=database, TZ="UTC")
    assert [
        "phone   first                last",
        "=phöne  2026-11-23 01:00:00  2026-11-23 02:00:00",
        "b       2026-11-23 22:13:20  2026-11-24 01:00:00",
    ] == result.stdout.splitlines()


@pytest.mark.usefixtures("kept")
def test_a_csv_file(run_command: Run, database: str, tmp_path: Path) -> None:
    """Columns and values are those of har-timeline; the owner alone may read it."""
    result = run_command(
        "har-history", "export", "--csv", "out.csv", "--windows", "--zone", "Europe/Berlin",
        HAR_DATABASE=database,
    )  # fmt: skip
    assert (0, "", "") == (result.returncode, result.stdout, result.stderr)
    text = (tmp_path / "out.csv").read_text()
    rows = list(csv.reader(io.StringIO(text)))
    assert [*COLUMNS[2:]] == rows[0]
    start, end = "1795395600.0", "1795399200.5"
    at = "2026-11-23T02:00:00.000+01:00"
    assert [
        ["'=phöne", "episode", at, start, end, "WALKING", "0.9"],
        ["'=phöne", "window", at, start, "1795395602.54", "WALKING", "0.9"],
        ["b", "episode", "2026-11-23T23:13:20.000+01:00", "1795472000.0", "1795482000.0",
         "transition", "0.9"],
    ] == rows[1:]  # fmt: skip
    assert 0o600 == stat.S_IMODE((tmp_path / "out.csv").stat().st_mode)


@pytest.mark.usefixtures("kept")
def test_days_and_phones_are_chosen(run_command: Run, database: str) -> None:
    """Both days are in; an episode is cut at their ends."""
    result = run_command(
        "har-history", "export", "--from", "2026-11-22", "--to", "2026-11-23", "--device", "b",
        "--zone", "UTC", "--csv", "-", HAR_DATABASE=database,
    )  # fmt: skip
    assert ["1795472000.0", "1795478400.0"] == result.stdout.splitlines()[1].split(",")[3:5]
    assert 2 == len(result.stdout.splitlines())
    empty = run_command(
        "har-history", "export", "--from", "2027-01-01", "--csv", "-", HAR_DATABASE=database
    )
    assert 1 == len(empty.stdout.splitlines())
    assert "har-history export: there is nothing of these days\n" == empty.stderr


@pytest.mark.usefixtures("kept")
def test_a_parquet_file(run_command: Run, database: str, tmp_path: Path) -> None:
    """The same table, with times that know their zone; the owner alone may read it."""
    parquet = pytest.importorskip("pyarrow.parquet")
    result = run_command(
        "har-history", "export", "--parquet", "out.parquet", "--windows", HAR_DATABASE=database
    )
    assert (0, "") == (result.returncode, result.stderr)
    table = parquet.read_table(tmp_path / "out.parquet")
    assert [*COLUMNS[2:]] == table.column_names
    first = table.to_pylist()[0]
    assert ("=phöne", "episode", MONDAY + 3600, MONDAY + 7200.5, "WALKING", 0.9) == tuple(
        first[name] for name in ("device", "kind", "start", "end", "activity", "probability")
    )
    assert MONDAY + 3600 == first["time"].timestamp()
    assert 0o600 == stat.S_IMODE((tmp_path / "out.parquet").stat().st_mode)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("form", ["--csv", "--parquet"])
@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_the_history_is_not_written_over(
    run_command: Run, database: str, form: str, suffix: str
) -> None:
    """No file of the database is exported to, by whatever path it is named; all stays."""
    if "://" in database:
        pytest.skip("the history is in no file")
    before = Path(database).read_bytes()
    folder, name = Path(database).parent, Path(database).name
    target = str(folder / ".." / folder.name / (name + suffix))
    result = run_command("har-history", "export", form, target, HAR_DATABASE=database)
    assert 1 == result.returncode
    assert "is the history itself; name another file" in result.stderr
    assert before == Path(database).read_bytes()


def test_a_phone_is_forgotten(run_command: Run, database: str, kept: Engine) -> None:
    """And all others are not."""
    result = run_command("har-history", "forget", "--device", "=phöne", HAR_DATABASE=database)
    assert result.stdout.startswith("Deleted 2 rows of =phöne.\n")
    assert {"b"} == {row.device for row in content(kept)}


WRONG = [
    (["show", "--device", "c"], "there is nothing of c; har-history devices lists the phones"),
    (["show", "--device", "b", "--zone", "Mars"], "there is no such time zone"),
    (["show", "--device", "b", "--day", "yesterday"], "day = 'yesterday': "),
    (["show"], "--device or HAR_DEVICE is needed"),
    (["export"], "--csv FILE or --parquet FILE, one of them, is needed"),
    (["export", "--csv", "a", "--parquet", "b"], "--csv FILE or --parquet FILE, one of them"),
    (["export", "--csv", "no/such/folder"], "no/such/folder: cannot be written"),
    (["export", "--csv", "a", "--device", "c"], "there is nothing of c"),
    (["export", "--csv", "a", "--from", "2026-11-24", "--to", "2026-11-23"], "is before --from"),
    (["export", "--parquet", "-"], "parquet = '-': Parquet needs a file"),
    (["show", "--device", "b", "--day", "0001-01-01", "--week"], "the calendar ends there"),
    (["run", "--broker", "b", "--keep", "a year"], "is to be days or hours, such as 400d"),
    (["run", "--broker", "b", "--keep", "1d", "--keep-predictions", "25h"], "may not be kept for"),
    (["run", "--broker", "b", "--protocol", "3.1.1"], "har-history needs 5"),
    (["run"], "--broker or HAR_BROKER is needed"),
    (["play"], "there is no 'play': run, show, devices, export, forget"),
]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("flags", "said"), WRONG, ids=[" ".join(flags) for flags, _ in WRONG])
def test_what_is_wrong_is_said_in_a_line(
    run_command: Run, database: str, flags: list[str], said: str
) -> None:
    """With what to do, without any password, and with exit code 1."""
    result = run_command("har-history", *flags, HAR_DATABASE=database)
    assert 1 == result.returncode
    assert said in result.stderr
    assert 1 == len(result.stderr.splitlines())
    assert result.stderr.startswith("har-history")
    assert "s3cret" not in result.stderr + result.stdout


@pytest.mark.parametrize(
    "flags", [["devices"], ["show", "--device", "a"], ["forget", "--device", "a"]]
)
def test_where_there_is_no_history(run_command: Run, tmp_path: Path, flags: list[str]) -> None:
    """That is said, and none is made."""
    result = run_command("har-history", *flags, HAR_DATABASE=str(tmp_path / "h.sqlite"))
    assert 1 == result.returncode
    assert f"{tmp_path / 'h.sqlite'}: there is no history" in result.stderr
    assert not (tmp_path / "h.sqlite").exists()


def test_help_lists_the_subcommands(run_command: Run) -> None:
    """Each with what it does, and each has a help of its own."""
    whole = run_command("har-history", "--help").stdout
    for name in ("run", "show", "devices", "export", "forget"):
        line = next(line for line in whole.splitlines() if line.strip().startswith(f"{name} "))
        summary = line.split(maxsplit=1)[1]
        part = run_command("har-history", name, "--help").stdout
        assert part.startswith(f"usage: har-history {name} [-h]")
        assert summary in part


@pytest.mark.usefixtures("kept")
def test_the_database_comes_from_a_file(run_command: Run, database: str, tmp_path: Path) -> None:
    """As a password does; not from two places at once."""
    (tmp_path / "address.secret").write_text(f"{database}\n")
    flags = ["--database-file", "address.secret"]
    assert "phone " in run_command("har-history", "devices", *flags).stdout
    both = run_command("har-history", "devices", *flags, HAR_DATABASE=database)
    assert "the database is given besides; leave out one of them" in both.stderr


@pytest.mark.usefixtures("own_settings")
def test_every_setting_of_run_has_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a subcommand it runs; so all may be in the environment."""
    from pipeline.commands.history.settings import HistoryRunSettings

    monkeypatch.setattr(sys, "argv", ["har-history run"])
    for name, value in (("BROKER", "b"), ("KEEP", "400d"), ("DATABASE", "postgresql://h/d")):
        monkeypatch.setenv(f"HAR_{name}", value)
    settings = from_command_line(HistoryRunSettings)
    assert (400 * 86_400, 400 * 86_400, "5") == (
        settings.keep_s,
        settings.keep_predictions_s,
        settings.protocol,
    )
    assert "postgresql" not in repr(settings)
