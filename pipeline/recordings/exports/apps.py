"""The apps whose exports are read, and the recordings that any of them wrote into a folder.

What an app's files mean is decided in its own module; each is offered every folder.
"""

from typing import Final

from pipeline.recordings.exports import phyphox, sensor_logger
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.exports.files import ExportFiles
from pipeline.recordings.recording import DataError

APPS: Final = (sensor_logger, phyphox)


def exports_in(files: ExportFiles, *, notes: dict[str, str], failures: list[str]) -> list[Export]:
    """Return the recordings in a folder's files, none if no app of `APPS` wrote them.

    Args:
        files: the files.
        notes: gets the reasons why files, or rows of them, are passed over, by the files' names.
        failures: gets a line for each file that is damaged or contradicts itself.
    """
    exports: list[Export] = []
    why: dict[str, str] = {}
    damaged: list[str] = []
    for app in APPS:
        try:
            of_app = app.read(files)
        except DataError as error:
            damages = [str(error)]
        else:
            exports += of_app.exports
            why |= of_app.passed_over
            damages = [*of_app.failures]
        damaged += [line for line in damages if line not in damaged]  # each app finds the same
    failures += damaged
    read = {name for export in exports for name in export.files}
    for name in files.contents if exports or not damaged else ():
        if name not in read:
            why.setdefault(name, _why_unknown(files, name))
    for name, reason in {**why, **files.passed_over}.items():
        notes[files.where(name)] = reason if name in read else f"passed over: {reason}"
    return exports


def nothing_in(source: str, notes: dict[str, str]) -> str:
    """Return a line: no app wrote what was named, and the reasons for some files in it."""
    reasons = "".join(
        f"; {why}" if where == source else f"; {where}: {why}"
        for where, why in list(notes.items())[:3]
    )
    return (
        f"{source}: neither Sensor Logger nor phyphox wrote this: give the zip as the app "
        f"exports it, or its CSV files{reasons}"
    )


def _why_unknown(files: ExportFiles, name: str) -> str:
    try:
        with files.table(name) as table:
            columns = table.columns
    except DataError as error:
        return str(error).removeprefix(f"{files.where(name)}: ")
    if not columns:
        return "empty"
    shown = ", ".join(columns)
    return f"neither Sensor Logger nor phyphox writes such columns ({shown[:60]!r})"
