"""Records as confluent_kafka gives them, made without Kafka."""

from pipeline.commands.bridge.result_records import Headers


class MadeRecord:
    """A record of a topic."""

    def __init__(
        self,
        key: bytes | str | None,
        value: bytes | str | None,
        headers: Headers | None,
        *,
        partition: int = 0,
        offset: int = 0,
    ) -> None:
        """Take what it holds, and where it is."""
        self._key, self._value, self._headers = key, value, headers
        self._partition, self._offset = partition, offset

    def key(self) -> bytes | str | None:
        """Return its key."""
        return self._key

    def value(self) -> bytes | str | None:
        """Return its payload."""
        return self._value

    def headers(self) -> Headers | None:
        """Return its headers."""
        return self._headers

    def partition(self) -> int:
        """Return its partition."""
        return self._partition

    def offset(self) -> int:
        """Return its offset."""
        return self._offset

    def error(self) -> None:
        """Return that it is one."""
        return


def result(
    device: str = "p",
    leaf: str = "prediction",
    payload: bytes = b"{}",
    *,
    origin: str | None = None,
    retain: bytes | None = None,
    partition: int = 0,
    offset: int = 0,
) -> MadeRecord:
    """Return a record that is a result."""
    headers: Headers = [("topic", f"har/{device}/{leaf}".encode())]
    if origin is not None:
        headers.append(("origin", origin.encode()))
    if retain is not None:
        headers.append(("retain", retain))
    return MadeRecord(device.encode(), payload, headers, partition=partition, offset=offset)
