"""The web pages of the demo: har-web, as a process of its own."""

import importlib.util
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.listening import listening
from pipeline.commands.web.settings import DEFAULT_LISTEN
from pipeline.mqtt.broker import START_TIMEOUT_S, companion, last_lines

POLL_S: Final = 0.05

WEB_CODE: Final = """\
import sys
from pipeline.mqtt.broker import end_with_parent
end_with_parent()
from pipeline.commands.web.command import start
sys.argv[0] = "har-web"
start(shows_tokens=True)
"""


class WebError(Exception):
    """har-web does not run; the message holds what it said last."""


class WebProcess:
    """The har-web of the demo: a process and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        """Watch a process that writes into ``log``."""
        self._process = process
        self._log = log

    def check(self) -> None:
        """Return if it runs.

        Raises:
            WebError: it has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise WebError(f"har-web ended with exit code {code}:\n{last_lines(self._log)}")

    def introduction(self) -> str:
        """Return where the pages are, when they are there.

        Raises:
            WebError: it has ended, or says nothing.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self._log.seek(0)
            text = self._log.read().decode(errors="replace")
            if "connected to" in text:  # its log comes behind what it prints
                return "\n".join(line for line in text.splitlines() if " INFO " not in line)
            self.check()
            time.sleep(POLL_S)
        raise WebError("har-web does not start")


@contextmanager
def har_web(settings: DemoSettings, host: str, port: int) -> Iterator[WebProcess]:
    """Run har-web beside the demo's broker as long as the context lasts.

    Raises:
        WebError: what it needs is not installed.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise WebError("the pages need more packages: pip install 'har-stream[web]'")
    flags = [
        *("--broker", host, "--port", str(port), "--protocol", "3.1.1", "--no-tls"),
        *("--listen", _where(settings.listen)),
        *("--log-level", "info", "--log-format", "text"),  # which is read here
        *([] if listening(settings.listen).is_loopback else ["--self-signed"]),
    ]
    with (
        tempfile.TemporaryFile() as log,
        companion(
            ["-c", WEB_CODE, *flags], stdout=log, stderr=log, secrets=("token", "database")
        ) as process,
    ):
        yield WebProcess(process, log)


def _where(listen: str) -> str:
    """Return where to listen: if nobody chose it and another program is there, at a free port."""
    where = listening(listen)
    if listen != DEFAULT_LISTEN:
        return listen
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError:
            probe.bind((where.host, 0))
        return f"{where.host}:{probe.getsockname()[1]}"


def qr_codes(introduction: str) -> str:
    """Return the first address of the phone page as a QR code in characters, nothing if none is."""
    from pipeline.commands.web import links  # what it needs is an extra

    found = re.search(r"^Phones: +(\S+)$", introduction, re.MULTILINE)
    return "" if found is None else links.terminal(found[1])
