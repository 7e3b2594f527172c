"""The terms on which a checkpoint location was begun, which hold for its life: `har-spark.json`.

The file lies in the checkpoint location, wherever Hadoop's file systems reach. Who comes with other
terms is told how to begin anew.
"""

from typing import Any, Final
from uuid import uuid4

import msgspec
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.java_errors import java_reason

FILE: Final = "har-spark.json"
_NEW: Final = "har-spark.json.new"
MOST_BYTES: Final = 1_000_000


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint location's state and progress belong to."""

    models: tuple[str, ...]
    """Names and hashes: one for all phones, or that for the waist and that for elsewhere"""
    hop: int
    filter_start: str
    lateness: float
    buckets: int
    samples_topic: str


class _Kept(Terms, frozen=True, kw_only=True):
    run: str
    """Name of all that the checkpoint location holds, in the results' header ``origin``"""


class KeptTerms:
    """The terms in a checkpoint location."""

    def __init__(self, spark: SparkSession, location: str) -> None:
        """Look into a location.

        Raises:
            SparkJobError: it cannot be reached or read, or holds something else.
        """
        self._location = location
        self._jvm: Any = spark._jvm
        self._folder = self._path(location)
        try:
            configuration = spark._jsc.hadoopConfiguration()
            self._files = self._folder.getFileSystem(configuration)
            self.kept = self._read()
            """The terms, None if nothing has begun here"""
        except Py4JJavaError as error:
            raise self._unusable(error) from error
        except msgspec.MsgspecError as error:
            raise SparkJobError(f"{location}/{FILE}: is damaged: {error}") from error

    def settle(self, terms: Terms) -> str:
        """Return the run's name: of the terms that are kept, or of these, which are kept now.

        Raises:
            SparkJobError: they are others, or cannot be kept.
        """
        if self.kept is not None:
            self._compare(self.kept, terms)
            if self.has_committed and not self._holds("offsets"):
                raise SparkJobError(
                    f"{self._location}: its offsets are missing: put all of it back as it was at "
                    "one time, or begin anew: name a new --checkpoint-location"
                )
            return self.kept.run
        begun = _Kept(run=uuid4().hex[:8], **msgspec.structs.asdict(terms))
        try:
            self._write(msgspec.json.format(msgspec.json.encode(begun)))
        except Py4JJavaError as error:
            raise self._unusable(error) from error
        return begun.run

    @property
    def has_committed(self) -> bool:
        """Whether a batch was committed here."""
        return self._holds("commits")

    def _holds(self, name: str) -> bool:
        """Return whether a folder of the location has anything in it."""
        folder = self._path(self._location, name)
        return bool(self._files.exists(folder)) and len(self._files.listStatus(folder)) > 0

    def _compare(self, kept: Terms, terms: Terms) -> None:
        for name in Terms.__struct_fields__:
            then, now = getattr(kept, name), getattr(terms, name)
            if then != now:
                raise SparkJobError(
                    f"{self._location} was begun with {name.replace('_', '-')} {_words(then)}, and "
                    f"this har-spark has {_words(now)}: go on with what it was begun with, or "
                    "begin anew: name a new --checkpoint-location, and by --begin whether it takes "
                    "all samples that Kafka still has (earliest) or those to come (latest)"
                )

    def _read(self) -> _Kept | None:
        file = self._path(self._location, FILE)
        if not self._files.exists(file):
            if self._files.exists(self._path(self._location, "offsets")):
                raise SparkJobError(
                    f"{self._location}: is the checkpoint of another job; name another "
                    "--checkpoint-location"
                )
            return None
        stream = self._files.open(file)
        try:
            content = bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()
        return msgspec.json.decode(content, type=_Kept)

    def _write(self, content: bytes) -> None:
        """Write the file, all of it or nothing."""
        new = self._path(self._location, _NEW)
        stream = self._files.create(new, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()
        self._files.rename(new, self._path(self._location, FILE))

    def _path(self, *parts: str) -> Any:  # noqa: ANN401 # Java's
        return self._jvm.org.apache.hadoop.fs.Path(*parts)

    def _unusable(self, error: Py4JJavaError) -> SparkJobError:
        return SparkJobError(
            f"checkpoint-location = {self._location!r}: cannot be used: {java_reason(error)}"
        )


def _words(value: object) -> str:
    return " and ".join(value) if isinstance(value, tuple) else str(value)
