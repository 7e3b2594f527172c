"""The embedded broker: an MQTT broker for demo and tests that needs no installation by root.

The only file that knows amqtt. The broker runs in a separate process, so that it takes no time
from the Python that measures, and is reached from this machine alone. It speaks MQTT 3.1.1.
"""

import asyncio
import importlib.util
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

from pipeline.secret_keeping import environment_without_secrets

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 15.0
LOG_LINES: Final = 5


class BrokerError(Exception):
    """The embedded broker does not run; the message says what to do about it."""


@contextmanager
def embedded_broker() -> Iterator[int]:
    """Run a broker on a free port of `HOST` as long as the context lasts, and give the port.

    Raises:
        BrokerError: amqtt is not installed, or the broker did not start.
    """
    if importlib.util.find_spec("amqtt") is None:
        raise BrokerError("the embedded broker needs amqtt: pip install 'har-stream[demo]'")
    with (
        tempfile.TemporaryFile() as log,
        companion(["-m", "pipeline.mqtt.broker"], stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        answered, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
        port = process.stdout.readline() if answered else b""  # written when it listens
        if not port:
            raise BrokerError(f"the embedded broker did not start: {last_lines(log)}")
        yield int(port)


@contextmanager
def companion(
    arguments: Sequence[str],
    *,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    secrets: Container[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with ``arguments`` beside this process as long as the context lasts.

    Of the secrets in the environment it gets those of these settings.

    It is in a separate session: a Ctrl-C in the terminal is for this process, which then stops
    the other one. If it calls `end_with_parent` it does not outlive this process in any case.
    """
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment_without_secrets(os.environ, secrets),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def end_with_parent() -> None:
    """From now on end this process, as SIGTERM does, when its standard input is closed."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        main_thread = threading.main_thread().ident
        assert main_thread is not None
        signal.pthread_kill(main_thread, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def last_lines(log: IO[bytes]) -> str:
    """Return the end of what a `companion` has written into ``log``."""
    log.seek(0)
    return "\n".join(log.read().decode(errors="replace").strip().splitlines()[-LOG_LINES:])


async def _serve() -> None:
    """Run the broker until SIGTERM or SIGINT; write its port to standard output."""
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
    from amqtt.broker import Broker

    class FaithfulBroker(Broker):  # type: ignore[misc]  # amqtt has no types
        """A broker that sends retained messages to their subscribers only.

        amqtt 0.12 sends a client that has just connected all that is retained under anybody's
        subscriptions.
        """

        async def _publish_retained_messages_for_subscription(
            self, subscription: tuple[str, int], session: object
        ) -> None:
            subscribers = self._subscriptions.get(subscription[0], [])
            if any(subscriber is session for subscriber, _ in subscribers):
                await super()._publish_retained_messages_for_subscription(subscription, session)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Listening is done here: amqtt does not report which port it got where it may choose.
    # Only this plug-in: the default ones publish statistics under $SYS and log each packet.
    broker = FaithfulBroker(
        {
            "listeners": {"default": {"type": "external"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.external_connected(
            StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
        )

    await broker.start()
    server = await asyncio.start_server(connected, HOST, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    end_with_parent()
    asyncio.run(_serve())
