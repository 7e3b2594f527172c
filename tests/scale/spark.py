"""A standalone Spark cluster on this machine: a master and workers that tests can kill.

It runs from the jars of the package `pyspark`. Each worker has one core and one executor.
"""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

import pyspark

from tests.brokers import HOST, find_free_port
from tests.processes import ROOT
from tests.scale.jars import java
from tests.scale.part import Part, await_answer

START_TIMEOUT_S: Final = 60.0
REQUEST_TIMEOUT_S: Final = 10.0
SPARK_HOME: Final = Path(pyspark.__file__).parent
ENVIRONMENT: Final = {
    "SPARK_HOME": str(SPARK_HOME),
    "SPARK_LOCAL_IP": HOST,
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
    "PYSPARK_PYTHON": sys.executable,
    "PYTHONPATH": str(ROOT),
}
"""What each part of Spark gets besides ours"""
CORES_A_WORKER: Final = 1
MEMORY_A_WORKER: Final = "1g"


class Worker(Part):
    """A worker; its executors, and their Python processes, are killed and counted with it."""

    def __init__(self, name: str, folder: Path, master: str) -> None:
        """Begin without a process."""
        super().__init__(name, folder / f"{name}.log")
        self._master = master
        self._work = folder / name
        self._web_port = find_free_port()

    def start(self) -> None:
        """Start it; `Spark.await_workers` returns when the master has it."""
        self.launch(
            [
                *(str(SPARK_HOME / "bin" / "spark-class"), "org.apache.spark.deploy.worker.Worker"),
                *("--host", HOST, "--webui-port", str(self._web_port)),
                *("--cores", str(CORES_A_WORKER), "--memory", MEMORY_A_WORKER),
                *("--work-dir", str(self._work)),
                self._master,
            ],
            **ENVIRONMENT,
        )

    @property
    def executors(self) -> list[str]:
        """The names of the executors that it runs now, as the driver calls them."""
        state = get_json(f"http://{HOST}:{self._web_port}/json/")
        return [str(executor["id"]) for executor in state["executors"]]

    @property
    def log(self) -> str:
        """The end of its log, and of its executors'."""
        parts = [super().log]
        for file in sorted(self._work.glob("*/*/stderr"))[-2:]:
            parts += [f"... {file}", *file.read_text(errors="replace").splitlines()[-30:]]
        return "\n".join(parts)


class Spark(Part):
    """A master and its workers, on free ports."""

    def __init__(self, folder: Path, *, n_workers: int = 2) -> None:
        """Begin without processes; skip the test where Java is missing."""
        super().__init__("Spark's master", folder / "master.log")
        java()
        port, self._web_port = find_free_port(), find_free_port()
        self.address = f"spark://{HOST}:{port}"
        """What a driver calls the master"""
        self._port = port
        self.workers = [
            Worker(f"worker-{number}", folder, self.address) for number in range(n_workers)
        ]

    def start(self) -> None:
        """Start all of it and return when the master has all workers."""
        self.launch(
            [
                *(str(SPARK_HOME / "bin" / "spark-class"), "org.apache.spark.deploy.master.Master"),
                *("--host", HOST, "--port", str(self._port), "--webui-port", str(self._web_port)),
            ],
            **ENVIRONMENT,
        )
        for worker in self.workers:
            worker.start()
        self.await_workers(len(self.workers))

    def await_workers(self, n_workers: int) -> None:
        """Return when the master has so many workers that live."""
        for _ in await_answer(self, START_TIMEOUT_S):
            try:
                workers = get_json(f"http://{HOST}:{self._web_port}/json/")["workers"]
            except (OSError, ValueError):  # before it serves, any page is its own
                continue
            if n_workers == sum(worker["state"] == "ALIVE" for worker in workers):
                return

    def stop(self) -> None:
        """Stop all of it."""
        for worker in self.workers:
            worker.stop()
        super().stop()


def get_json(url: str) -> Any:  # noqa: ANN401 # what Spark's pages hold
    """Return what a page of Spark answers.

    Raises:
        OSError: it does not.
        ValueError: it is not JSON.
    """
    with urllib.request.urlopen(url, timeout=REQUEST_TIMEOUT_S) as answer:
        return json.load(answer)
