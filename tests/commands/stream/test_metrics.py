"""What har-stream tells by ``--metrics`` against what happened at the broker."""

import contextlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.commands.stream.sent import prepared_rows, raw_rows
from tests.phone import EPOCH, Phone
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.broker

METRICS = ("--metrics", "127.0.0.1:0")


def of(samples: dict[str, float], name: str) -> dict[str, float]:
    """Return the samples of a name with a label, by its value."""
    return {
        key.split('"')[1]: value for key, value in samples.items() if key.startswith(f"{name}{{")
    }


def test_counts_are_what_happened(
    broker: "Broker", phone: Phone, start_stream: "Start", run_command: "Run"
) -> None:
    """Messages, samples, predictions and episodes are those at the broker, each counted once."""
    stream = start_stream(*METRICS)
    scraper = Scraper.of(stream)
    phone.subscribe("har/+/samples")
    bad = {"json": 3, "field": 2, "time": 1}
    for payload, n in ((b"no", 3), (b"{}", 2)):
        for _ in range(n):
            phone.publish("har/bad/samples", payload)
    phone.publish(
        "har/bad/samples",
        b'{"start": 1e12, "rate": 50, "acc": [[0,0,9]], "acc_unit": "m/s2",'
        b' "gyro": [[0,0,0]], "gyro_unit": "rad/s"}',
    )
    played = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1,2,3",
        "--duration", "30", "--speed", "max", "--wait",
    )  # fmt: skip
    assert 0 == played.returncode, played.stderr
    samples = scraper.await_samples(
        {
            "har_prediction_latency_seconds_count": len(
                [m for m in phone.received if m.topic.endswith("/prediction")]
            ),
            "har_unconfirmed_publications": 0,
        }
    )
    received = list(phone.received)
    published = {
        leaf: [json.loads(m.payload) for m in received if m.topic.endswith(f"/{leaf}")]
        for leaf in ("prediction", "episode")
    }
    sent = [m for m in received if m.topic.endswith("/samples") and "/bad/" not in m.topic]
    n_rows = sum(len(json.loads(m.payload)["acc"]) for m in sent)

    by_activity = Counter(p["activity"] for p in published["prediction"])
    n_predictions = by_activity.total()
    assert n_predictions > 50
    assert by_activity == Counter(of(samples, "har_predictions_total"))
    episodes = Counter(episode["activity"] for episode in published["episode"])
    assert episodes == Counter(of(samples, "har_episodes_total"))
    assert bad == {k: v for k, v in of(samples, "har_rejected_messages_total").items() if v}
    messages = of(samples, "har_messages_total")
    assert {"native": len(sent)} == {k: v for k, v in messages.items() if v}
    assert {"browser", "native", "phyphox", "sensor-logger", "sensorspot"} == set(messages)
    assert n_rows == of(samples, "har_samples_total")["native"]
    assert n_predictions == samples["har_windows_total"]
    assert n_predictions == samples["har_prediction_age_seconds_count"]
    assert n_predictions == samples["har_tick_windows_sum"]
    assert n_predictions == samples["har_batch_windows_sum"]
    assert len(sent) + sum(bad.values()) == samples["har_tick_messages_sum"]
    for histogram in ("prediction_latency_seconds", "tick_windows", "batch_windows"):
        name = f"har_{histogram}"
        assert samples[f'{name}_bucket{{le="+Inf"}}'] == samples[f"{name}_count"]
    assert 0 < samples["har_prediction_latency_seconds_sum"]
    assert 3 == sum(of(samples, "har_phones").values())
    assert 1 == samples["har_broker_connected"]
    assert 1 == samples["har_broker_connections_total"]
    assert 1 == samples['har_model_info{elsewhere="tiny@0badcafe",waist="tiny@0badcafe"}']
    assert 0 == stream.end()


def test_names_that_senders_choose_are_in_no_label(phone: Phone, start_stream: "Start") -> None:
    """However many phones and topics there are, there are as many series."""
    scraper = Scraper.of(start_stream(*METRICS))
    before = scraper.samples()
    rows = raw_rows(25)
    for number in range(30):
        phone.device = f"secret-{number}"
        phone.send_rows(rows)
        phone.publish(f"har/bad-{number}/samples", f'{{"reason-{number}": "reason"}}')
        phone.publish(f"sensor-logger/odd-{number}", b'{"name": 3}')
    after = scraper.await_samples({'har_messages_total{format="native"}': 30})
    assert before.keys() == after.keys()
    text = scraper.get("/metrics").body
    for name in ("secret", "bad-", "odd-", phone.device):
        assert name not in text


def test_phones_by_state(phone: Phone, start_stream: "Start") -> None:
    """A phone that begins, has windows, lacks a sensor, or is silent is counted as such."""
    stream = start_stream(*METRICS, "--offline-after", "6")
    scraper = Scraper.of(stream)
    phone.send_rows(raw_rows(25))
    scraper.await_samples({'har_phones{state="starting"}': 1})
    phone.send_rows(raw_rows(600, seed=1), first=25)
    scraper.await_samples({'har_phones{state="recognised"}': 1})
    accelerometer = {
        "time": (EPOCH + np.arange(50) / 50).tolist(),
        "values": raw_rows(50)[:, :3].tolist(),
        "unit": "m/s2",
    }
    message = {"sensors": {"accelerometer": accelerometer}}
    phone.publish("har/half-a-phone/samples", json.dumps(message))
    scraper.await_samples({'har_phones{state="lacking-sensor"}': 1})
    scraper.await_samples({'har_phones{state="offline"}': 2})


def test_counts_never_go_down(phone: Phone, start_stream: "Start") -> None:
    """While phones come, go and are forgotten, what counts only grows."""
    stream = start_stream(*METRICS, "--offline-after", "0.5", "--forget-after", "1")
    scraper = Scraper.of(stream)
    phone.subscribe("har/+/info")
    before = scraper.samples()
    for number in range(4):
        phone.device = f"{phone.device[:14]}-{number}"
        phone.send_rows(raw_rows(400, seed=number))
        phone.await_message(f"har/{phone.device}/info", b"")  # it is forgotten
        after = scraper.samples()
        grows = [key for key in after if re.match(r"\w+_(total|count|sum|bucket)\b", key)]
        assert len(grows) > 100
        assert {} == {key: after[key] for key in grows if after[key] < before[key]}
        before = after
    scraper.await_samples(
        {'har_messages_total{format="native"}': 64, 'har_phones{state="recognised"}': 0}
    )


def test_causes_of_unknown(phone: Phone, start_stream: "Start") -> None:
    """Each time that an activity becomes unknown has a cause: here a unit that cannot be."""
    scraper = Scraper.of(start_stream(*METRICS))
    rows = raw_rows(1500)
    rows[:, :3] *= 9.81
    phone.send_rows(rows)
    phone.predictions(22)
    unknowns = of(scraper.await_samples({"har_windows_total": 22}), "har_unknowns_total")
    assert {"acc-unit", "unlike"} >= {cause for cause, n in unknowns.items() if n}

    def times() -> set[float]:
        topic = f"har/{phone.device}/activity"
        published = [json.loads(m.payload) for m in phone.received if m.topic == topic]
        return {activity["since"] for activity in published if activity["activity"] == "unknown"}

    phone.await_that(lambda: len(times()) == sum(unknowns.values()) > 0)


def test_a_broker_that_goes_and_comes(
    own_mosquitto: "Mosquitto", start_stream: "Start", join: Callable[..., Phone]
) -> None:
    """Without it har-stream is alive and not ready; each connection is counted."""
    own_mosquitto.start()
    scraper = Scraper.of(start_stream(*METRICS, at=own_mosquitto))
    scraper.await_samples({"har_broker_connected": 1, "har_broker_connections_total": 1})
    assert {} == scraper.wrong()
    own_mosquitto.stop()
    wrong = scraper.await_wrong("broker")
    assert "no connection to 127.0.0.1" in wrong["broker"]
    assert {} == scraper.wrong("/healthz")
    scraper.await_samples({"har_broker_connected": 0, "har_broker_connections_total": 1})
    own_mosquitto.start()
    scraper.await_samples({"har_broker_connected": 1, "har_broker_connections_total": 2})
    assert {} == scraper.wrong()


def test_a_broker_that_never_comes(start_command: "Start", tiny_model: Path) -> None:
    """har-stream waits for it, alive and not ready."""
    with socket.socket() as taken:  # bound, but nobody listens: the port refuses
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        flags = ("--broker", "127.0.0.1", "--port", port, "--model", str(tiny_model))
        stream = start_command("har-stream", *flags, *METRICS)
        scraper = Scraper.of(stream)
        stream.await_log("next try")
        wrong = scraper.await_wrong("broker")
        assert "nobody answers there" in wrong["broker"]
        assert {} == scraper.wrong("/healthz")


def test_checkpoints(start_stream: "Start", own_mosquitto: "Mosquitto", tmp_path: Path) -> None:
    """Their number, size and time are told; while none can be written har-stream is not ready.

    A restart begins to count anew, whatever the state holds.
    """
    own_mosquitto.start()
    folder = tmp_path / "state"
    kept = ("--state", str(folder), *METRICS, "--checkpoint", "0.1")
    stream = start_stream(*kept, at=own_mosquitto)
    scraper = Scraper.of(stream)
    sender = Phone(own_mosquitto)
    sender.send_rows(raw_rows(300))
    sender.send_rows(raw_rows(300, seed=2), first=500)  # after a gap
    samples = scraper.await_samples({"har_unsaved_messages": 0, "har_gaps_total": 1})
    assert samples["har_checkpoint_duration_seconds_count"] >= 1
    assert (folder / "checkpoint").stat().st_size == samples["har_checkpoint_bytes"]
    assert abs(time.time() - samples["har_checkpoint_timestamp_seconds"]) < 60
    assert {} == scraper.wrong()
    assert 0 == stream.end()

    scraper = Scraper.of(start_stream(*kept, at=own_mosquitto))
    samples = scraper.await_samples({"har_broker_connected": 1})
    assert 0 == samples["har_gaps_total"] == samples['har_messages_total{format="native"}']
    (folder / "checkpoint").unlink()
    (folder / "checkpoint").mkdir()  # a file cannot take its place
    sender.send_rows(raw_rows(25, seed=3), first=900)
    wrong = scraper.await_wrong("checkpoint")
    assert "the state cannot be saved" in wrong["checkpoint"]
    scraper.await_at_least("har_checkpoint_failures_total", 1)
    sender.close()


def test_a_port_that_is_taken(run_command: "Run", tiny_model: Path) -> None:
    """It ends har-stream at its start, with a line that says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run_command("har-stream", "--broker", "localhost", "--metrics", address)
    assert 1 == result.returncode
    assert result.stderr == (
        f"har-stream: metrics = '{address}': Address already in use; another program is "
        "there: choose another port\n"
    )


def test_a_model_that_hangs(
    phone: Phone,
    start_stream: "Start",
    make_model: Callable[..., Path],
    make_card: Callable[..., dict[str, object]],
    tmp_path: Path,
) -> None:
    """It stops the loop: systemd's watchdog hears nothing any more, and nobody takes it for alive.

    Until then systemd hears that har-stream is ready, how it is, and that it turns.
    """
    hanging = make_model(tmp_path / "hangs.onnx", card=make_card(), answer="some endless")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(2.0)
        stream = start_stream(
            "--model", str(hanging), *METRICS,
            NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000",
        )  # fmt: skip
        scraper = Scraper.of(stream)
        heard = {systemd.recv(1_000).decode() for _ in range(6)}
        assert {"READY=1", "WATCHDOG=1"} < heard
        assert any(notice.startswith("STATUS=") for notice in heard)

        rows = prepared_rows(256)
        rows[:, 8] = 0.5
        phone.send_rows(rows)
        with contextlib.suppress(TimeoutError):
            while systemd.recv(1_000):
                continue  # it turned before it got the window
        assert {} == scraper.wrong("/healthz")  # it may yet turn
        wrong = scraper.await_wrong("loop", path="/healthz")
        assert "has not turned for 1" in wrong["loop"]
        assert "loop" in scraper.wrong("/readyz")


@pytest.mark.alone
def test_hostile_scrapers_do_not_slow_it(phone: Phone, start_stream: "Start") -> None:
    """While a hundred that send nothing, garbage, or all the time are there, results come."""
    scraper = Scraper.of(start_stream(*METRICS))
    host, port = scraper.address.removeprefix("http://").split(":")
    stopped = threading.Event()

    def annoy() -> None:
        while not stopped.is_set():
            for request in (b"", b"GET /metrics HTTP/1.1\r\n\r\n", b"\xff" * 10_000):
                try:
                    connection = socket.create_connection((host, int(port)), timeout=0.5)
                    connection.sendall(request)
                    stopped.wait(0.01)
                    connection.close()
                except OSError:
                    continue

    silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(100)]
    threads = [threading.Thread(target=annoy) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        took = []
        for k in range(40):
            sent = time.monotonic()
            phone.send_rows(prepared_rows(64, seed=k), first=64 * k, size=64)
            if k:
                phone.predictions(1)
                took.append(time.monotonic() - sent)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
        for connection in silent:
            connection.close()
    assert np.median(took) < 0.2
    assert 200 == scraper.get("/metrics").status
