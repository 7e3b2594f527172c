"""The file of ``--kafka-config``: properties for librdkafka, and how they are kept secret.

Rules: a line is NAME=VALUE, empty, or a comment that begins with ``#``. What the bridge itself
decides, because its promises rest on it, cannot be set. No message quotes a value: any may be a
password.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1 << 20
DECIDED: Final = frozenset(
    {
        *("acks", "request.required.acks", "enable.idempotence", "partitioner", "client.id"),
        *("message.timeout.ms", "delivery.timeout.ms", "message.max.bytes", "transactional.id"),
        *("queue.buffering.max.messages", "queue.buffering.max.kbytes", "batch.size"),
        *("bootstrap.servers", "metadata.broker.list", "group.id"),
        *("enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store"),
        "enable.gapless.guarantee",
        *("isolation.level", "statistics.interval.ms", "delivery.report.only.error"),
    }
)
"""Properties that are the bridge's own"""
_MASK: Final = "***"
_SECRET_WORDS: Final = ("password", "secret", "pem", "token", "jaas", "oauthbearer.config")
"""In the names of librdkafka's properties that hold secrets"""


class BridgeError(Exception):
    """The bridge cannot do its work as it is set up; who runs it can mend that."""


class KafkaConfig:
    """The properties that a file holds."""

    def __init__(self, path: Path | None) -> None:
        """Read a file; without one there are no properties.

        Raises:
            BridgeError: it cannot be read, or sets what it may not.
        """
        self._flag = f"kafka-config = {str(path)!r}"
        self.properties: Mapping[str, str] = {} if path is None else self._read(path)
        """By name"""
        self._secrets = sorted(
            {
                value
                for name, value in self.properties.items()
                if value and any(word in name for word in _SECRET_WORDS)
            },
            key=len,
            reverse=True,
        )

    def explain(self, error: object) -> str:
        """Return in a line what librdkafka says of an error, without any secret."""
        line = " ".join(str(error).split())
        for secret in self._secrets:
            line = line.replace(secret, _MASK)
        return line[:500]

    def refusal(self, error: object) -> BridgeError:
        """Return the error for properties that librdkafka does not take; it may quote values."""
        named = [name for name in self.properties if f'"{name}"' in str(error)]
        what = f"the property {named[0]}" if named else "a property of the file"
        return BridgeError(
            f"{self._flag}: librdkafka does not take {what}: see its CONFIGURATION.md for names "
            "and values"
        )

    def _read(self, path: Path) -> Mapping[str, str]:
        try:
            with path.open("rb") as file:
                text = file.read(MOST_BYTES + 1).decode()
        except OSError as error:
            raise BridgeError(f"{self._flag}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise BridgeError(f"{self._flag}: is not text in UTF-8") from None
        if len(text) > MOST_BYTES:
            raise BridgeError(f"{self._flag}: holds over {MOST_BYTES} bytes")
        properties: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not name:
                raise BridgeError(f"{self._flag}: line {number} is not NAME=VALUE")
            if name in DECIDED:
                raise BridgeError(
                    f"{self._flag}: line {number}: {name} is har-bridge's own to set; leave it out"
                )
            properties[name] = value
        return properties
