"""The least that any consumer costs: paho receives, onnxruntime classifies; nothing in between.

Messages are dropped as they come. Windows that are already there are classified at the pace at
which the messages would fill them, in batches, on the main thread.
"""

import argparse
import json
import signal
import time
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Final

import numpy as np
import onnxruntime
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

POLL_S: Final = 0.2


def main() -> None:
    """Run the command until SIGTERM; the pace begins with the first message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--model", type=Path, required=True, help=".onnx file")
    parser.add_argument("--windows", type=float, required=True, help="a second")
    parser.add_argument("--batch", type=int, required=True, help="windows in one call of the model")
    parser.add_argument("--report", type=Path, required=True, help=".json to write at the end")
    flags = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(
        str(flags.model), options, providers=["CPUExecutionProvider"]
    )
    (entry,) = model.get_inputs()
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(flags.batch, *entry.shape[1:])).astype(np.float32)
    model.run(None, {entry.name: windows})  # memory for this batch size

    stopping, begun = Event(), Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    def subscribe(
        client: Client, _: object, f: ConnectFlags, r: ReasonCode, p: Properties | None
    ) -> None:
        client.subscribe("har/+/samples", 1)

    def first(*_: object) -> None:
        client.on_message = drop
        begun.set()

    def drop(*_: object) -> None:
        pass

    signal.signal(signal.SIGTERM, stop)
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = subscribe, first
    client.connect("127.0.0.1", flags.port)
    client.loop_start()
    while not begun.wait(POLL_S) and not stopping.is_set():
        pass
    n_batches, cpu_s, started = 0, 0.0, time.monotonic()
    while not stopping.is_set():
        due = started + n_batches * flags.batch / flags.windows
        if stopping.wait(max(due - time.monotonic(), 0.0)):
            break
        before = time.thread_time()
        model.run(None, {entry.name: windows})
        cpu_s += time.thread_time() - before
        n_batches += 1
    seconds = time.monotonic() - started
    client.disconnect()
    client.loop_stop()
    n_windows = n_batches * flags.batch
    flags.report.write_text(
        json.dumps({"windows": n_windows, "inference_cpu_s": cpu_s, "seconds": seconds})
    )


if __name__ == "__main__":
    main()
