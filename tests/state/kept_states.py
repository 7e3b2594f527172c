"""State folders as har-stream left them: one of each version, for the tests of an upgrade.

They hold one made-up phone in the middle of its messages. When `VERSION` of the checkpoint is
raised, the folder of the version before stays, and the new one is made by

    python -m tests.state.kept_states

That of an older one, should it be lost, is made with the tree of an old commit as an argument.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from pipeline.state.checkpoint import VERSION
from tests.brokers import Mosquitto
from tests.client import MqttClient
from tests.made_models import card_of, write_tiny_model
from tests.processes import ROOT, STOP_TIMEOUT_S, environment_with

KEPT: Final = Path(__file__).with_name("kept")
MODEL: Final = KEPT / "tiny.onnx"
"""A checkpoint belongs to its model, so this stays as it is."""
DEVICE: Final = "kept-phone"
N_BEFORE: Final = 20
"""Messages that a kept state has seen"""
N_MESSAGES: Final = 40
START_S: Final = 1698501144.4
"""Epoch seconds of the first sample"""
MESSAGE_S: Final = 0.5
HOP_S: Final = 0.64
_RATE_HZ: Final = 50.0
_ROWS: Final = round(MESSAGE_S * _RATE_HZ)
_HOP: Final = round(HOP_S * _RATE_HZ)
_CODE: Final = "from pipeline.commands.stream.command import main; main()"


def folder_of(version: int) -> Path:
    """Return where the state of a version of checkpoints is."""
    return KEPT / f"version-{version}"


def flags_of(state: Path) -> list[str]:
    """Return the settings that the kept states belong to."""
    return ["--state", str(state), "--model", str(MODEL), "--hop", str(_HOP)]


def message(number: int) -> str:
    """Return one of the phone's messages: it hangs from a thread, and swings and turns evenly."""
    times = [(number * _ROWS + row) / _RATE_HZ for row in range(_ROWS)]
    return json.dumps(
        {
            "start": START_S + times[0],
            "rate": _RATE_HZ,
            "acc_unit": "m/s2",
            "gyro_unit": "rad/s",
            "acc": [
                [
                    round(2.0 * math.sin(6.0 * t), 4),
                    round(9.8 + math.cos(12.0 * t), 4),
                    round(0.5 * math.sin(3.0 * t + 1.0), 4),
                ]
                for t in times
            ],
            "gyro": [[round(0.3 * math.cos(6.0 * t), 4), 0.0, 0.01] for t in times],
        }
    )


def make(version: int, tree: Path) -> None:
    """Let the har-stream of a tree see the first messages, and keep its state."""
    KEPT.mkdir(exist_ok=True)
    if not MODEL.exists():
        write_tiny_model(MODEL, card=card_of())
    with tempfile.TemporaryDirectory() as work:
        broker, state = Mosquitto(Path(work)), Path(work) / "state"
        broker.start()
        stream = subprocess.Popen(
            [sys.executable, "-c", _CODE, *broker.flags, *flags_of(state)],
            env=environment_with({"PYTHONPATH": str(tree)}),
            cwd=work,
        )
        with MqttClient(broker, "har/status", f"har/{DEVICE}/prediction") as client:
            client.await_message("har/status", b"online")
            for number in range(N_BEFORE):
                client.publish(f"har/{DEVICE}/samples", message(number))
            client.await_that(lambda: len(client.received) > N_BEFORE // 2)
        stream.terminate()
        assert 0 == stream.wait(STOP_TIMEOUT_S)
        broker.stop()
        shutil.rmtree(folder_of(version), ignore_errors=True)
        folder_of(version).mkdir()
        for name in ("checkpoint", "client-id"):
            shutil.copy(state / name, folder_of(version))


def main() -> None:
    """Make the state of this version, or that of the old tree of the command line."""
    tree = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    text = (tree / "pipeline" / "state" / "checkpoint.py").read_text()
    version = int(text.split("VERSION: Final = ")[1].split("\n")[0])
    assert tree != ROOT or version == VERSION
    make(version, tree)
    size = os.path.getsize(folder_of(version) / "checkpoint")
    sys.stdout.write(f"{folder_of(version)}: {size} bytes\n")


if __name__ == "__main__":
    main()
