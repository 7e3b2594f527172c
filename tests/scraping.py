"""What a running command tells of itself by HTTP: its metrics and its health."""

import json
import time
import urllib.error
import urllib.request
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Running

TIMEOUT_S: Final = 30.0
_SAYS: Final = "metrics at "


class Answered(NamedTuple):
    """An answer by HTTP."""

    status: int
    body: str


class Scraper:
    """Asks one command."""

    def __init__(self, address: str) -> None:
        """Ask at an address, ``http://HOST:PORT``."""
        self.address = address

    @classmethod
    def of(cls, running: Running) -> "Scraper":
        """Return that of a command that was started with ``--metrics 127.0.0.1:0``."""
        running.await_log(_SAYS)
        return cls(running.log.split(_SAYS)[1].split()[0].strip('",').removesuffix("/metrics"))

    def get(self, path: str) -> Answered:
        """Return what is answered."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=TIMEOUT_S) as answer:
                return Answered(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, error.read().decode())

    def wrong(self, path: str = "/readyz") -> dict[str, str]:
        """Return the checks that fail, with their reasons; status and body agree."""
        status, body = self.get(path)
        checks = json.loads(body)["checks"]
        failing = {name: reason for name, reason in checks.items() if reason != "ok"}
        assert (503 if failing else 200, "failing" if failing else "ok") == (
            status,
            json.loads(body)["status"],
        )
        return failing

    def samples(self) -> dict[str, float]:
        """Return all samples by name and labels, as ``har_messages_total{format="native"}``."""
        samples = {}
        for family in text_string_to_metric_families(self.get("/metrics").body):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
                samples[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
        return samples

    def await_samples(self, expected: dict[str, float]) -> dict[str, float]:
        """Return all samples once these are as expected, within a while."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            samples = self.samples()
            found = {name: samples.get(name) for name in expected}
            if found == expected:
                return samples
            assert time.monotonic() < deadline, f"expected {expected}, found {found}"
            time.sleep(0.1)

    def await_at_least(self, name: str, least: float) -> None:
        """Return once a sample has grown so far, within a while."""
        deadline = time.monotonic() + TIMEOUT_S
        while (found := self.samples()[name]) < least:
            assert time.monotonic() < deadline, f"{name}: {found}"
            time.sleep(0.1)

    def await_wrong(self, *names: str, path: str = "/readyz") -> dict[str, str]:
        """Return the checks that fail once they are these."""
        deadline = time.monotonic() + TIMEOUT_S
        while set(wrong := self.wrong(path)) != set(names):
            assert time.monotonic() < deadline, f"expected {names}, found {wrong}"
            time.sleep(0.1)
        return wrong
