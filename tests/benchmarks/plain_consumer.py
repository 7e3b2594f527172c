"""The program that a competent engineer writes first; har-stream is measured against it.

paho's callback, json, a deque and SciPy's filters a phone, onnxruntime on each window as it fills.
It gives the same predictions as har-stream for samples that come in order, evenly spaced, at 50 Hz;
it knows nothing of gaps, repeats, other rates, placements, nor of what to show for an activity now.
"""

import argparse
import json
import signal
import sys
from collections import deque
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from scipy.signal import butter, sosfilt, sosfilt_zi

RATE_HZ: Final = 50.0
WINDOW: Final = 128
HOP: Final = 64
GRAVITY: Final = 9.80665

DENOISE: Final = butter(10, 20.0, fs=RATE_HZ, output="sos")
POSTURE: Final = butter(3, 0.3, fs=RATE_HZ, output="sos")
DRIFT: Final = butter(2, 0.1, fs=RATE_HZ, output="sos")


class Phone:
    """One phone's filters and its last samples."""

    def __init__(self, start: float, first: NDArray[np.float64]) -> None:
        """Begin at rest in the phone's first row ``(6,)`` in g and rad/s, of epoch ``start``."""
        self.start = start
        self.count = 0
        self.samples: deque[NDArray[np.float64]] = deque(maxlen=WINDOW)
        self.edge = np.stack([first, first])[:1]  # before the first row, as if it had always been
        # (sections, 2, axes)
        self.denoise = sosfilt_zi(DENOISE)[:, :, None] * first
        self.posture = sosfilt_zi(POSTURE)[:, :, None] * first[:3]
        self.drift = np.zeros((len(DRIFT), 2, 3))

    def push(self, rows: NDArray[np.float64]) -> list[tuple[float, NDArray[np.float32]]]:
        """Return start and samples ``(128, 9)`` of the windows that ``(n, 6)`` rows complete."""
        rows = np.concatenate([self.edge, rows])
        self.edge = rows[-2:]
        median = np.sort([rows[:-2], rows[1:-1], rows[2:]], axis=0)[1]
        if len(median) == 0:
            return []
        denoised, self.denoise = sosfilt(DENOISE, median, axis=0, zi=self.denoise)
        total, gyro = denoised[:, :3], denoised[:, 3:]
        posture, self.posture = sosfilt(POSTURE, total, axis=0, zi=self.posture)
        drift, self.drift = sosfilt(DRIFT, gyro, axis=0, zi=self.drift)
        windows = []
        for sample in np.hstack([total - posture, gyro - drift, total]):
            self.samples.append(sample)
            self.count += 1
            first = self.count - WINDOW
            if first >= 0 and first % HOP == 0:
                window = np.array(self.samples, np.float32)
                windows.append((self.start + first / RATE_HZ, window))
        return windows


class Consumer:
    """All phones and the model."""

    def __init__(self, model: Path) -> None:
        """Load the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._model = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        card = json.loads(self._model.get_modelmeta().custom_metadata_map["har_model_card"])
        self._activities: list[str] = card["activities"]
        self._identity = f"{card['name']}@{card['version']}"
        self._phones: dict[str, Phone] = {}

    def predictions(self, device: str, payload: bytes | bytearray) -> list[dict[str, Any]]:
        """Return what the windows that a message completes are taken for."""
        windows = self.windows(device, json.loads(payload))
        return [
            self.prediction(device, start, self.probabilities(window[None])[0])
            for start, window in windows
        ]

    def windows(
        self, device: str, message: dict[str, Any]
    ) -> list[tuple[float, NDArray[np.float32]]]:
        """Return start and samples ``(128, 9)`` of the windows that a message completes."""
        acc = np.array(message["acc"]) / (GRAVITY if message["acc_unit"] == "m/s2" else 1.0)
        gyro = np.array(message["gyro"]) * (1.0 if message["gyro_unit"] == "rad/s" else np.pi / 180)
        rows = np.hstack([acc, gyro])
        phone = self._phones.get(device)
        if phone is None:
            phone = self._phones[device] = Phone(message["start"], rows[0])
        return phone.push(rows)

    def probabilities(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities ``(n, 6)`` of windows ``(n, 128, 9)``."""
        found: NDArray[np.float32] = self._model.run(["probabilities"], {"window": windows})[0]
        return found

    def prediction(
        self, device: str, start: float, probabilities: NDArray[np.float32]
    ) -> dict[str, Any]:
        """Return what is published of a window, of its probabilities ``(6,)``."""
        best = int(probabilities.argmax())
        return {
            "device": device,
            "start": round(start, 6),
            "end": round(start + (WINDOW - 1) / RATE_HZ, 6),
            "activity": self._activities[best],
            "probability": round(float(probabilities[best]), 7),
            "probabilities": dict(
                zip(self._activities, (round(float(p), 7) for p in probabilities), strict=True)
            ),
            "model": self._identity,
        }


def main() -> None:
    """Run the command until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--model", type=Path, required=True, help=".onnx file")
    flags = parser.parse_args()
    consumer = Consumer(flags.model)

    def subscribe(
        client: Client, _: object, f: ConnectFlags, r: ReasonCode, p: Properties | None
    ) -> None:
        client.subscribe("har/+/samples", 1)

    def classify(client: Client, _: object, message: MQTTMessage) -> None:
        device = message.topic.split("/")[1]
        for prediction in consumer.predictions(device, message.payload):
            client.publish(f"har/{device}/prediction", json.dumps(prediction), 1)

    def stop(signum: int, frame: FrameType | None) -> None:
        sys.exit(0)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = subscribe, classify
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", flags.port)
    signal.signal(signal.SIGTERM, stop)
    client.loop_forever()


if __name__ == "__main__":
    main()
