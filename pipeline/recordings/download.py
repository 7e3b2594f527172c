"""Fetching a data set's zip: every byte of it is checked before it is kept."""

import http.client
import urllib.request
from pathlib import Path
from typing import Final

from pipeline.atomic_file import replacing_path
from pipeline.recordings import bounded
from pipeline.recordings.dataset_files import Published, find_in_zip
from pipeline.recordings.recording import DataError

_TIMEOUT_S: Final = 30.0
_BLOCK_BYTES: Final = 1 << 16


def fetch_zip(published: Published, url: str, target: Path, *, remedy: str) -> None:
    """Fetch a zip, check every byte of it, and keep it as ``target``.

    ``remedy`` is what to do if that fails, for people.

    Raises:
        DataError: it could not be fetched or kept, or what came is damaged or not the data set.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing_path(target) as unfinished:
            _fetch(published.name, url, unfinished)
            _check_and_unwrap(published, unfinished)
    except (*bounded.ZIP_ERRORS, http.client.HTTPException, DataError) as error:
        raise DataError(
            f"the {published.name} data set could not be downloaded from {url}: {error}; {remedy}"
        ) from error


def _fetch(name: str, url: str, target: Path) -> None:
    # Hardly ever needed, and slow to import.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response,
        target.open("wb") as file,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        length = response.headers["Content-Length"]
        size = None if length is None else int(length)
        task = progress.add_task(f"Downloading {name}", total=size)
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
            progress.advance(task, len(block))
        received = file.tell()
    if size is not None and received != size:
        raise EOFError(f"the transfer ended after {received} of {size} bytes")


def _check_and_unwrap(published: Published, path: Path) -> None:
    """Check every file of the zip ``path``, and if it wraps the data set's own zip, keep that."""
    located = find_in_zip(path, published)
    if located is None:
        raise DataError(f"what came holds no {published.name} data set ({published.marker})")
    archive, _, nested = located
    with archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise DataError(f"{damaged} came damaged")
        if nested is not None:  # a zip in a zip takes time to open each time
            path.write_bytes(nested)
