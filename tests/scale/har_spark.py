"""A har-spark that a test runs on the cluster, between topics of its own."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from tests.brokers import HOST, find_free_port
from tests.processes import command_line, environment_with
from tests.scale.jars import jars
from tests.scale.part import Part
from tests.scale.samples import MODEL
from tests.scale.spark import ENVIRONMENT, get_json

COMMIT_TIMEOUT_S: Final = 240.0  # also on a busy machine
STOP_TIMEOUT_S: Final = 120.0
N_BUCKETS: Final = 2
QUICK_START: Final = "-XX:TieredStopAtLevel=1"
"""Java optimises less, which takes as long as the tests and pays after minutes"""


class HarSpark(Part):
    """The driver: the command's process and its JVM."""

    def __init__(
        self, folder: Path, kafka: str, master: str = "local[2]", *, name: str = "har"
    ) -> None:
        """Begin without a process.

        Args:
            folder: for the checkpoint location and the log.
            kafka: address of Kafka.
            master: address of the cluster that it uses; without one, two threads of its own.
            name: begins the names of its topics.
        """
        super().__init__("har-spark", folder / "har-spark.log")
        self.samples, self.results = f"{name}.samples", f"{name}.results"
        self.location = folder / "checkpoint"
        self._log_file = folder / "har-spark.log"
        self._kafka = kafka
        self._master = master
        self._ui_port = 0

    def flags(self, *more: str) -> list[str]:
        """Return the command's flags."""
        self._ui_port = find_free_port()
        conf = {
            "spark.ui.port": str(self._ui_port),
            "spark.driver.host": HOST,
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.driver.extraJavaOptions": QUICK_START,
            "spark.executor.extraJavaOptions": QUICK_START,
        }
        return [
            *("--kafka", self._kafka),
            *("--samples-topic", self.samples, "--results-topic", self.results),
            *("--checkpoint-location", str(self.location), "--jars", str(jars("spark"))),
            *("--master", self._master),
            *("--model", MODEL, "--trigger", "0", "--buckets", str(N_BUCKETS)),
            *("--conf", *(f"{key}={value}" for key, value in conf.items())),
            *more,
        ]

    def start(self, *flags: str) -> None:
        """Start it."""
        environment = environment_with({}) | ENVIRONMENT
        self.launch([*command_line("har-spark"), *self.flags(*flags)], **environment)

    def run_to_its_end(self, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it where it must fail."""
        return subprocess.run(
            [*command_line("har-spark"), *self.flags(*flags)],
            env=environment_with({}) | ENVIRONMENT | environment,
            capture_output=True,
            text=True,
            timeout=COMMIT_TIMEOUT_S,
        )

    @property
    def whole_log(self) -> str:
        """All that it has written."""
        return self._log_file.read_text()

    @property
    def n_commits(self) -> int:
        """How many batches are committed; only the last are kept, by their numbers from 0 on."""
        commits = (self.location / "commits").glob("[0-9]*")
        return 1 + max((int(commit.name) for commit in commits), default=-1)

    def await_commits(self, n_commits: int) -> None:
        """Return when so many batches are committed."""
        deadline = time.monotonic() + COMMIT_TIMEOUT_S
        while self.n_commits < n_commits:
            assert time.monotonic() < deadline, f"{self.n_commits} commits only:\n{self.log}"
            assert self.runs, self.log
            time.sleep(0.02)

    def await_tasks(self, executors: list[str]) -> None:
        """Return when one of these executors has a task."""
        deadline = time.monotonic() + COMMIT_TIMEOUT_S
        while not any(
            executor["id"] in executors and executor["activeTasks"]
            for executor in self._of_application("executors")
        ):
            assert time.monotonic() < deadline, f"{executors} have no tasks"
            time.sleep(0.02)

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_S)

    def _of_application(self, what: str) -> Any:  # noqa: ANN401 # what Spark's pages hold
        base = f"http://{HOST}:{self._ui_port}/api/v1/applications"
        (application,) = get_json(base)
        return get_json(f"{base}/{application['id']}/{what}")
