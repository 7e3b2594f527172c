import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.importer.exported import T0_NS, phyphox, sensor_logger
from tests.commands.importer.outcome import Imported
from tests.processes import ROOT

MEMORY_BYTES = 1 << 29


def limited(*flags: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run har-import with little memory beside that of its libraries."""
    code = (
        "import resource, sys, pipeline.commands.importer as importer\n"
        "for line in open('/proc/self/status'):\n"
        "    if line.startswith('VmSize:'):\n"
        f"        most = int(line.split()[1]) * 1024 + {MEMORY_BYTES}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "sys.argv[0] = 'har-import'\n"
        "importer.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def write_bomb(path: Path, content: bytes, n_times: int, *, names: list[str]) -> None:
    """Write a zip whose files repeat a block ever so often."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(n_times):
                    file.write(content)


def test_a_zip_that_would_be_gigabytes(tmp_path: Path) -> None:
    """One clear line, within the memory that there is, though the zip's own size is harmless."""
    names = [f"{number}.csv" for number in range(4)]
    write_bomb(tmp_path / "bomb.zip", b"1,2\n" * (1 << 18), 1 << 6, names=names)
    path = tmp_path / "bomb.zip"  # and now they all say that they are sixteen times as large
    for n_bytes in (1 << 26, 1 << 30):
        said = [size.to_bytes(4, "little") for size in (n_bytes, 1 << 30)]
        path.write_bytes(path.read_bytes().replace(*said))
    done = limited("bomb.zip", folder=tmp_path)
    assert 1 == done.returncode
    words = "har-import: bomb.zip: is no zip that can be read (would be 4096 MiB of "
    assert done.stderr.startswith(words)
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize(
    "content", [b"time,x,y,z\n" + b"1" * 4000, b"1,2,3,4\n" * 500, b"\n" * 4000]
)
def test_a_zip_that_does_not_say_how_large_it_is(tmp_path: Path, content: bytes) -> None:
    """A file that says of itself that it is small is read no further than that."""
    path = tmp_path / "bomb.zip"
    write_bomb(path, content, 1 << 12, names=["Accelerometer.csv"])
    size, said = (4 * len(content) << 10).to_bytes(8, "little"), (1 << 20).to_bytes(8, "little")
    path.write_bytes(path.read_bytes().replace(size, said).replace(size[:4], said[:4]))
    done = limited(path.name, folder=tmp_path)
    assert 1 == done.returncode
    assert "har-import: bomb.zip" in done.stderr
    assert 1 == done.stderr.count("\n")


def test_a_zip_that_lists_a_million_files(tmp_path: Path) -> None:
    """One clear line, before the list is read."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("a.csv", b"")
        entry = archive.filelist[0]
        archive.filelist += [entry] * 200_000
        archive._didModify = True
    done = limited("many.zip", folder=tmp_path)
    assert 1 == done.returncode
    words = "har-import: many.zip: is no zip that can be read (lists too many files)"
    assert done.stderr.startswith(words)
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize("app", [sensor_logger, phyphox])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("notes.txt", "x" * 70_000, "has a line of over 65536 characters"),
        ("notes.json", json.dumps([{"a": 1}] * 20_000), "is not what Sensor Logger exports as"),
        ("other.json", json.dumps({"a": [1] * 40_000}), "has a line of over 65536 characters"),
        ("empty.txt", "\n" * 70_000, "begins with over 65536 empty characters"),
        ("quote.txt", '"' + "so he said\n" * 20_000, "field larger than field limit"),
    ],
)
def test_long_lines_of_other_files(
    har_import: Callable[..., Imported],
    app: Callable[[Path], Path],
    name: str,
    content: str,
    why: str,
) -> None:
    """A file that is no table is passed over with the reason; what lies beside it is imported."""
    (app(Path("export")) / name).write_text(content)
    done = har_import("export")
    assert not done.failed
    assert 1 == done.stdout.count("Wrote ")
    (line,) = done.told
    assert line.startswith(f"export: {name}: passed over: {why}")


def test_a_recording_in_one_long_line(har_import: Callable[..., Imported]) -> None:
    """Sensor Logger's JSON has no ends of lines."""
    rows = [
        {"sensor": sensor, "time": str(T0_NS + k * 25_000_000), "x": 0.5, "y": 9.8, "z": 0.25}
        for sensor in ("TotalAcceleration", "Gyroscope")
        for k in range(500)
    ]
    metadata = {"sensor": "Metadata", "device id": "abc", "platform": "android"}
    content = json.dumps([metadata, *rows])
    assert "\n" not in content
    assert 1 << 16 < len(content)
    Path("one.json").write_text(content)
    done = har_import("one.json")
    assert ([], False) == (done.told, done.failed)
    assert 1 == done.stdout.count("Wrote ")
