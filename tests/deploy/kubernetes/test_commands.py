"""The commands of the manifests, as their own settings read them."""

import logging
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from pipeline.commands.monitoring.monitor import Monitor
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.settings import BrokerSettings, CommandSettings, from_command_line
from tests.deploy.image import DOCKERFILE, stages
from tests.deploy.kubernetes.manifests import Workload, controlled
from tests.scraping import Scraper
from tests.settings_tables import COMMANDS

WITH_COMMANDS: Final = sorted(
    name for name, workload in controlled().items() if "command" in workload.container
)

pytestmark = pytest.mark.usefixtures("own_settings")


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CommandSettings:
    """The settings that a workload's container reads, with its files in a folder of the test."""
    workload = controlled()[request.param]
    for place, (_, _, key) in workload.files.items():
        file = tmp_path / place.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            {"database": "postgresql://har@db/har"}.get(key, "of-some-length-0123456789")
        )
    for name, value in {**image_environment(), **workload.environment}.items():
        monkeypatch.setenv(name, str(tmp_path / value[1:]) if value in workload.files else value)
    name, arguments = command_of(workload)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return from_command_line(COMMANDS[name])


def image_environment() -> dict[str, str]:
    """Return the settings that the image `stream` gives to its commands."""
    _, instructions = stages(DOCKERFILE.read_text())["stream"]
    words = [word for kind, told in instructions if kind == "ENV" for word in told.split()]
    return dict(word.split("=", 1) for word in words)


def command_of(workload: Workload) -> tuple[str, list[str]]:
    """Return a container's command, with its subcommand, and its other arguments."""
    name, *arguments = [*workload.container["command"], *workload.container.get("args", ())]
    if arguments and f"{name} {arguments[0]}" in COMMANDS:
        return f"{name} {arguments[0]}", arguments[1:]
    return name, arguments


@pytest.mark.parametrize("settings", WITH_COMMANDS, indirect=True)
def test_its_settings_are_understood(settings: CommandSettings) -> None:
    """It logs in to the broker by TLS, and keeps trying while it is not there."""
    assert isinstance(settings, BrokerSettings)
    assert ("mosquitto", 8883, True) == (settings.broker, settings.port, settings.tls)
    assert settings.password is not None
    assert getattr(settings, "retry", True)


@pytest.mark.parametrize(
    ("settings", "name"), [(name, name) for name in WITH_COMMANDS], indirect=["settings"]
)
def test_its_ports_are_those_that_it_listens_at(settings: CommandSettings, name: str) -> None:
    """The ports of a container are those of its settings, and so are those that are scraped."""
    assert isinstance(settings, MonitoringSettings)
    listens = {"metrics": settings.metrics, "https": getattr(settings, "listen", None)}
    assert {f"0.0.0.0:{number}" for number in controlled()[name].ports.values()} == {
        address for address in listens.values() if address is not None
    }


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_kubernetes_adds_no_settings(name: str) -> None:
    """Else each Service would be in variables, such as HAR_WEB_PORT: ours begin alike."""
    assert controlled()[name].pod["enableServiceLinks"] is False


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_what_is_asked_for_is_served(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Kubernetes and Prometheus ask at the port of metrics, by paths that commands serve."""
    workload = controlled()[name]
    probes = [
        workload.container[f"{kind}Probe"]["httpGet"]
        for kind in ("startup", "liveness", "readiness")
    ]
    assert {"metrics"} == {probe["port"] for probe in probes}
    scraped = workload.annotations
    assert ("true", str(workload.ports["metrics"])) == (
        scraped["prometheus.io/scrape"],
        scraped["prometheus.io/port"],
    )
    caplog.set_level(logging.INFO)
    with Monitor(MonitoringSettings(metrics="127.0.0.1:0"), command="har-test"):
        (address,) = re.findall(r"http://\S+(?=/metrics)", caplog.text)
        for path in (scraped["prometheus.io/path"], *(probe["path"] for probe in probes)):
            assert Scraper(address).get(path).status in (200, 503), path
