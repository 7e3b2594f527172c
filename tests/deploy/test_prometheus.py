"""deploy/prometheus and deploy/grafana against what commands tell, and at a real Prometheus."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import metrics_table
from tests.brokers import HOST, find_free_port
from tests.client import MqttClient
from tests.deploy.watched import (
    DASHBOARD,
    PROMETHEUS,
    filled_in,
    names_in,
    panel_queries,
    texts_with_names,
)
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command answers."""
    return metrics_table.scraped(tmp_path_factory.mktemp("scraped"))


@pytest.fixture
def promtool() -> Callable[..., str]:
    """A function that runs promtool in deploy/prometheus, and returns what it says."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool: apt-get install prometheus")

    def run(*arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            [program, *arguments],
            cwd=PROMETHEUS,
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        said = done.stdout + done.stderr
        assert 0 == done.returncode, said
        return said

    return run


@pytest.mark.operation
@pytest.mark.parametrize("command", metrics_table.COMMANDS)
def test_promtool_has_no_complaint(
    promtool: Callable[..., str], scrapes: dict[str, str], command: str
) -> None:
    """Names, units and help texts are as Prometheus' guide has them."""
    assert "" == promtool("check", "metrics", text=scrapes[command])


@pytest.mark.operation
def test_the_configuration_and_rules_are_valid(promtool: Callable[..., str]) -> None:
    """Promtool accepts both, and the rules do what their tests say."""
    for config in ("prometheus.yml", "compose.yml"):
        assert "valid prometheus config" in promtool("check", "config", config)
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_each_alert_says_what_to_do() -> None:
    """It has a severity, a summary, and a runbook in words."""
    alerts = (PROMETHEUS / "alerts.yml").read_text().split("- alert: ")[1:]
    assert len(alerts) > 10
    for alert in alerts:
        assert alert.count("runbook: >-") == alert.count("summary: ") == 1, alert
        assert "severity: page" in alert or "severity: ticket" in alert


@pytest.mark.parametrize("file", texts_with_names())
def test_what_is_asked_for_is_there(scrapes: dict[str, str], file: str) -> None:
    """Every metric that rules and dashboard use is one that a running command tells."""
    told = {
        line.split("{")[0].split(" ")[0]
        for text in scrapes.values()
        for line in text.splitlines()
        if not line.startswith("#")
    }
    told |= {name.removesuffix(part) for name in told for part in ("_bucket", "_sum", "_count")}
    assert set() == names_in(texts_with_names()[file]) - told


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        """Ask at a port."""
        self._address = f"http://{HOST}:{port}/api/v1"

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401
        """Return the data of an answer."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._address}/{path}?{query}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def values(self, query: str) -> list[float]:
        """Return the values that a query has now."""
        return [float(one["value"][1]) for one in self.ask("query", query=query)["result"]]

    def await_values(self, query: str) -> list[float]:
        """Return a query's values once there are some, all of them numbers."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                values = self.values(query)
            except OSError:
                values = []  # it does not listen yet
            if values and all(value == value for value in values):
                return values
            assert time.monotonic() < deadline, f"no value of {query}: {values}"
            time.sleep(0.2)


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Prometheus]]:
    """A function that starts one with deploy's configuration, but with targets of a test."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    processes: list[subprocess.Popen[bytes]] = []

    def start(targets: dict[str, str]) -> Prometheus:
        text = (PROMETHEUS / "prometheus.yml").read_text()
        text = text.replace("15s", "1s").replace("alerts.yml\n", f"{PROMETHEUS / 'alerts.yml'}\n")
        for number, target in zip((9464, 9465, 9466, 9467), targets.values(), strict=True):
            text = text.replace(f"127.0.0.1:{number}", target)
        config, port = tmp_path / "prometheus.yml", find_free_port()
        config.write_text(text)
        with (tmp_path / "prometheus.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    [
                        *(program, f"--config.file={config}"),
                        *(f"--storage.tsdb.path={tmp_path / 'series'}", "--log.level=warn"),
                        f"--web.listen-address={HOST}:{port}",
                    ],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        return Prometheus(port)

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.operation
def test_a_live_prometheus_answers_the_dashboard(
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    start_prometheus: Callable[[dict[str, str]], Prometheus],
    tmp_path: Path,
) -> None:
    """It scrapes all commands while phones send: each panel has values, and no alert fires."""
    own_mosquitto.start()
    flags = {
        "har-stream": ("--state", str(tmp_path / "state")),
        "har-web": ("--listen", "127.0.0.1:0"),
        "har-record": ("--device", "nobody", "--output", str(tmp_path)),
        "har-history": ("--database", str(tmp_path / "history.db")),
    }
    targets = {}
    for name, more in flags.items():
        running = start_command(name, *own_mosquitto.flags, "--metrics", "127.0.0.1:0", *more)
        targets[name] = Scraper.of(running).address.removeprefix("http://")
    prometheus = start_prometheus(targets)
    with MqttClient(own_mosquitto, "har/status") as client:
        client.await_message("har/status", b"online")
    start_command(
        "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--subjects", "1,2",
        "--speed", "4",
    )  # fmt: skip
    assert [1.0, 1.0, 1.0, 1.0] == prometheus.await_values(
        'up{job=~"har-.+"} == 1 and on() count(up == 1) == 4'
    )
    for panel, queries in panel_queries().items():
        for query in queries:
            assert prometheus.await_values(filled_in(query, interval="10s")), panel
    assert 2 == sum(prometheus.values("har_phones"))
    assert prometheus.values("sum(rate(har_predictions_total[10s]))")[0] > 0

    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {"ok"} == {rule["health"] for rule in rules}
    assert [] == [alert["labels"] for rule in rules for alert in rule["alerts"]]


def test_the_dashboard_fits_the_screen() -> None:
    """No panel covers another, and each is within the width."""
    covered: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not covered & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        covered |= cells
