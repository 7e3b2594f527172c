"""The default: a model for phones at the waist, and one for all others."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.calibration_message import encode_calibration
from pipeline.recordings import simulated
from pipeline.vocabulary import CHANNELS
from tests.phone import EPOCH, Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

AT_WAIST, ELSEWHERE = "cnn-lstm", "cnn-lstm-any"


@pytest.fixture(scope="module")
def walking() -> NDArray[np.float64]:
    """Nine seconds of a walker's raw samples ``(450, 6)``."""
    [recording] = simulated.recordings(1, seconds=9, activity="WALKING")
    return recording.stretches[0].samples.astype(np.float64)


@pytest.fixture
def send(phone: Phone) -> Callable[..., None]:
    """A function that sends rows of a device, with other keys beside them."""

    def send(device: str, rows: NDArray[np.float64], *, first: int = 0, **keys: object) -> None:
        for k in range(0, len(rows), 25):
            part = rows[k : k + 25]
            message: dict[str, Any] = {"start": EPOCH + (first + k) / 50, "rate": 50.0, **keys}
            if part.shape[1] == len(CHANNELS):
                message |= {"channels": CHANNELS, "samples": part.tolist()}
            else:
                message |= {"acc": part[:, :3].tolist(), "acc_unit": "m/s2"}
                message |= {"gyro": part[:, 3:].tolist(), "gyro_unit": "rad/s"}
            phone.publish(f"har/{device}/samples", json.dumps(message))

    return send


def contents(phone: Phone, device: str, leaf: str) -> list[dict[str, Any]]:
    """Return all that has been published of a device on ``har/<device>/<leaf>`` so far."""
    topic = f"har/{device}/{leaf}"
    return [json.loads(one.payload) for one in phone.received if one.topic == topic]


def await_info(phone: Phone, device: str, **expected: str) -> None:
    """Return when a device's info has these entries."""
    phone.await_that(
        lambda: any(
            expected == {key: info.get(key) for key in expected}
            for info in contents(phone, device, "info")
        ),
        f"no info of {device} has {expected}",
    )


def await_predictions(phone: Phone, device: str, n: int) -> None:
    """Return when a device has so many predictions."""
    phone.await_that(lambda: len(contents(phone, device, "prediction")) >= n)


def test_where_a_phone_is_worn_decides(
    broker: "Broker",
    start_command: "Start",
    phone: Phone,
    send: Callable[..., None],
    walking: NDArray[np.float64],
) -> None:
    """Set, stated, prepared or framed phones have the model of the waist, others that for any."""
    mark = uuid4().hex[:8]
    names = ["unknown", "stated", "pocket", "prepared", "set", "framed", "moved"]
    unknown, stated, pocket, prepared, placed, framed, moved = (f"{n}-{mark}" for n in names)
    running = start_command(
        *("har-stream", *broker.flags),
        *("--placement", f"{placed}=waist", "--placement", f"{moved}=any"),
        *("--frame", f"{framed}=portrait"),
    )
    broker.await_har_stream()
    send(unknown, walking)
    send(stated, walking, placement="waist")
    send(pocket, walking, placement="left trouser pocket")
    send(prepared, np.tile([0, 0, 0, 0, 0, 0, 1.0, 0, 0], (450, 1)))
    send(placed, walking)
    send(framed, walking)
    send(moved, walking, placement="waist")

    for device in (pocket, moved):
        await_info(phone, device, calibration="none")
    for device, model, placement, basis in [
        (unknown, ELSEWHERE, "any", "assumed"),
        (stated, AT_WAIST, "waist", "stated"),
        (pocket, ELSEWHERE, "any", "stated"),
        (prepared, AT_WAIST, "waist", "prepared"),
        (placed, AT_WAIST, "waist", "set"),
        (framed, AT_WAIST, "waist", "set"),
        (moved, ELSEWHERE, "any", "set"),
    ]:
        await_predictions(phone, device, 3)
        [identity] = {one["model"] for one in contents(phone, device, "prediction")}
        assert model == identity.partition("@")[0], device
        await_info(phone, device, placement=placement, placement_by=basis, model=identity)
    assert 0 == running.end()
    assert "0 rejected messages" in running.log


def test_a_calibration_comes_and_goes(
    broker: "Broker",
    start_command: "Start",
    phone: Phone,
    send: Callable[..., None],
    walking: NDArray[np.float64],
) -> None:
    """From the sample on before which it comes, its phone has the other model, and begins anew."""
    device = f"phone-{uuid4().hex[:8]}"
    running = start_command("har-stream", *broker.flags)
    broker.await_har_stream()
    calibration = encode_calibration(
        np.eye(3), created=EPOCH, gravity=np.ones(3), forward=np.ones(3), n_steps=9
    )
    topic = f"har/{device}/calibration"
    send(device, walking)
    phone.publish(topic, calibration)
    send(device, walking, first=450)
    phone.publish(topic, b"")
    send(device, walking, first=900)

    await_predictions(phone, device, 3 * 6)
    predictions = contents(phone, device, "prediction")
    thirds = [int((one["start"] - EPOCH + 0.01) // 9) for one in predictions]
    assert 6 * [0] + 6 * [1] + 6 * [2] == thirds
    models = [one["model"].partition("@")[0] for one in predictions]
    assert 6 * [ELSEWHERE] + 6 * [AT_WAIST] + 6 * [ELSEWHERE] == models
    ends = [one["end"] - EPOCH for one in contents(phone, device, "episode")]
    assert any(8 < end < 9 for end in ends)
    assert any(17 < end < 18 for end in ends)
    assert 0 == running.end()


def test_a_statement_of_a_wrong_clock_does_not_stay(
    broker: "Broker",
    start_command: "Start",
    phone: Phone,
    send: Callable[..., None],
    walking: NDArray[np.float64],
) -> None:
    """Nor one of a recording before, whatever its times; later ones take its place."""
    mark = uuid4().hex[:8]
    corrected, recorded = f"corrected-{mark}", f"recorded-{mark}"
    running = start_command("har-stream", *broker.flags)
    broker.await_har_stream()
    send(corrected, walking, first=50 * 3600, placement="waist")
    send(recorded, walking, first=50 * 3600, placement="waist", recording="a")
    for first in (0, 450, 900):
        send(corrected, walking, first=first, placement="pocket")
        send(recorded, walking, first=first, placement="pocket", recording="b")
    for device in (corrected, recorded):
        await_info(phone, device, placement="any", placement_by="stated")
        phone.await_that(
            lambda device=device: (
                {ELSEWHERE}
                == {
                    one["model"].partition("@")[0]
                    for one in contents(phone, device, "prediction")
                    if EPOCH + 18 < one["start"] < EPOCH + 1800
                }
            )
        )
    assert 0 == running.end()
    assert f"{corrected}: placement any (stated), model {ELSEWHERE}" in running.log


def test_statements_that_alternate(
    broker: "Broker",
    start_command: "Start",
    phone: Phone,
    send: Callable[..., None],
    walking: NDArray[np.float64],
) -> None:
    """The phone keeps its first place and all results, and is warned of."""
    device = f"phone-{uuid4().hex[:8]}"
    running = start_command("har-stream", *broker.flags)
    broker.await_har_stream()
    for second in range(9):
        rows = walking[50 * second : 50 * second + 50]
        send(device, rows, first=50 * second, placement=("waist", "pocket")[second % 2])

    await_predictions(phone, device, 6)
    assert {AT_WAIST} == {
        one["model"].partition("@")[0] for one in contents(phone, device, "prediction")
    }
    phone.await_that(
        lambda: any(
            "alternating-placement" in info["warnings"] for info in contents(phone, device, "info")
        )
    )
    assert 0 == running.end()
    assert 1 == running.log.count(f"{device}: alternating-placement")


def test_both_models_are_named(
    broker: "Broker", start_command: "Start", join: Callable[..., Phone]
) -> None:
    """``har/info`` and the log name both, the first alone as ``model``."""
    running = start_command("har-stream", *broker.flags)
    broker.await_har_stream()
    info = json.loads(join(broker).await_message("har/info")[0])
    assert [AT_WAIST, ELSEWHERE] == [name.partition("@")[0] for name in info["models"]]
    assert info["models"][0] == info["model"]
    assert 0 == running.end()
    assert f"model {info['models'][0]} at the waist, else {info['models'][1]}, hop" in running.log
