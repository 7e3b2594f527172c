"""Exports that a test makes up."""

import io
from collections.abc import Mapping
from functools import partial

from pipeline.recordings.exports.exports import AppExports, Export
from pipeline.recordings.exports.files import ExportFiles
from pipeline.recordings.recording import DataError


def files(contents: Mapping[str, bytes], source: str = "export.zip") -> ExportFiles:
    """Return files of one folder, by their names in it."""
    return ExportFiles(
        source, {name: partial(io.BytesIO, one) for name, one in contents.items()}, {}
    )


def only(found: AppExports) -> Export:
    """Return the one recording that there is.

    Raises:
        DataError: something is damaged.
    """
    for failure in found.failures:
        raise DataError(failure)
    (export,) = found.exports
    return export
