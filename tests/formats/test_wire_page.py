"""The compact form as the page on the wire shows it: its test vectors and its senders."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.formats import native
from pipeline.readings import Readings
from tests.client import MqttClient

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text()
VECTORS = re.findall(r"```hex\n(.*?)```\s*```json\n(.*?)```", PAGE, re.DOTALL)
ROW = [0.1, 9.7, 1.0, 0.0, 0.1, 0.0]


def block(language: str) -> str:
    """Return the page's program in a language."""
    (program,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(program)


def check_sent(payload: bytes) -> None:
    """Check what both programs send: half a second of one and the same row."""
    (readings,) = native.decode(payload, "phone-7")
    assert isinstance(readings, Readings)
    np.testing.assert_allclose(readings.values, [ROW] * 25, rtol=1e-6)
    assert abs(readings.times[-1] - time.time()) < 30
    np.testing.assert_allclose(np.diff(readings.times), 0.02, atol=1e-6)
    assert len(payload) < 700


def test_there_are_three_vectors() -> None:
    """For each way in which rows and times are written."""
    assert 3 == len(VECTORS)


@pytest.mark.parametrize(("hexadecimal", "document"), VECTORS)
def test_vectors(hexadecimal: str, document: str) -> None:
    """The bytes are read as the JSON below them, bit for bit."""
    compact = native.decode(bytes.fromhex(hexadecimal), "phone-7")
    as_json = native.decode(json.dumps(json.loads(document)).encode(), "phone-7")
    for one, other in zip(compact, as_json, strict=True):
        assert (one.sensor, one.recording) == (other.sensor, other.recording)
        assert one.times.tobytes() == other.times.tobytes()
        assert one.values.tobytes() == other.values.tobytes()


@pytest.mark.broker
def test_the_sender_in_python(
    own_mosquitto: "Mosquitto", start_command: "Callable[..., Running]", tiny_model: Path
) -> None:
    """Its message reaches the broker, and har-stream takes the phone's samples."""
    own_mosquitto.start()
    address = f'"{own_mosquitto.host}", {own_mosquitto.port}'
    program = block("python").replace('"localhost", 1883', address)
    assert address in program
    start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    own_mosquitto.await_har_stream()
    with MqttClient(own_mosquitto, "har/phone-7/samples", "har/phone-7/info") as client:
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
        check_sent(client.await_message("har/phone-7/samples")[0])
        info = json.loads(client.await_message("har/phone-7/info")[0])
    assert ("native", {}) == (info["format"], info.get("rejected", {}))


def test_the_sender_in_javascript() -> None:
    """Its message is one that har-stream reads."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs the command node, which runs JavaScript without a browser")
    client = """const client = { publish(topic, payload, { qos }) {
        console.log(JSON.stringify([topic, Buffer.from(payload).toString("hex"), qos]));
    } };\n"""
    run = subprocess.run(
        [node, "-e", client + block("javascript")], capture_output=True, text=True, check=True
    )
    topic, payload, qos = json.loads(run.stdout)
    assert ("har/phone-7/samples", 1) == (topic, qos)
    check_sent(bytes.fromhex(payload))
