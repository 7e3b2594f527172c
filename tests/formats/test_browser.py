import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.formats import browser
from pipeline.readings import MAX_ROWS, MessageError, Readings
from pipeline.vocabulary import STANDARD_GRAVITY

EXAMPLES = Path(__file__).parent / "examples"
AXES = ("agx", "agy", "agz", "rx", "ry", "rz")


def example(name: str) -> bytes:
    """Return a message as a page sends it."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def sample(**changes: object) -> dict[str, Any]:
    """Return one sample, with some entries changed."""
    whole = {"t": 1698501144.4, "agx": 0.2, "agy": 9.7, "agz": 1.3, "rx": 0.7, "ry": 2.8, "rz": 0.1}
    return whole | changes


def message(*samples: object, **changes: object) -> bytes:
    """Return a message with these samples, with some entries changed."""
    whole = {"v": 1, "unit": "m/s2", "gyro_unit": "rad/s", "samples": samples}
    return json.dumps(whole | changes).encode()


def decode(payload: bytes, device: str | None = "phone-7") -> Readings:
    """Return the readings that a message holds."""
    (readings,) = browser.decode(payload, device)
    return readings


def reason_of(payload: bytes, device: str | None = "phone-7") -> str:
    """Return the reason for which a message is rejected."""
    with pytest.raises(MessageError) as rejected:
        browser.decode(payload, device)
    assert str(rejected.value)
    return rejected.value.reason


def test_an_iphone() -> None:
    """WebKit's accelerations keep their sign, and the message says which convention it is."""
    readings = decode(example("browser-ios"), None)

    assert ("web-7f3a", "motion") == (readings.device, readings.sensor)
    assert ("epoch", "ios") == (readings.clock, readings.convention)
    np.testing.assert_array_equal([1698501144.417, 1698501144.433], readings.times)
    np.testing.assert_array_equal([[-0.2, -9.7, -1.3], [-0.3, -9.6, -1.2]], readings.values[:, :3])
    expected = np.radians([[0.7, -11.6, 2.8], [0.6, -11.5, 2.7]])
    np.testing.assert_allclose(readings.values[:, 3:], expected, rtol=1e-15)


def test_an_android_phone() -> None:
    """Other browsers follow the standard; a sample without rotation is skipped."""
    readings = decode(example("browser-android"))

    assert ("phone-7", "page-1") == (readings.device, readings.recording)
    assert "android" == readings.convention
    np.testing.assert_array_equal([1698501144.417], readings.times)
    expected = [[0.2, 9.7, 1.3, np.pi, -np.pi / 2, 0.0]]
    np.testing.assert_allclose(readings.values, expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("platform", "convention"),
    [("ios", "ios"), ("android", "android"), ("desktop", "android"), (None, None)],
)
def test_platforms(platform: str | None, convention: str | None) -> None:
    """Only WebKit on iOS has the other sign; a page that says nothing leaves it open."""
    assert decode(message(sample(), platform=platform)).convention == convention


def test_units_are_converted() -> None:
    """Accelerations in g and angular velocities in deg/s become m/s² and rad/s."""
    sent = sample(agx=0.0, agy=0.5, agz=1.0, rx=180.0, ry=90.0, rz=0.0)
    readings = decode(message(sent, unit="g", gyro_unit="deg/s"))
    expected = [[0.0, STANDARD_GRAVITY / 2, STANDARD_GRAVITY, np.pi, np.pi / 2, 0.0]]
    np.testing.assert_allclose(readings.values, expected, rtol=1e-15)


def test_the_order_is_kept() -> None:
    """Samples stay in the order in which they came."""
    times = [1698501144.42, 1698501144.4, 1698501144.41]
    readings = decode(message(*(sample(t=time) for time in times)))
    np.testing.assert_array_equal(times, readings.times)


def test_unknown_keys_are_ignored() -> None:
    """Keys that the format does not know change nothing."""
    known, more = decode(message(sample())), decode(message(sample(ax=[1]), page={"deep": [None]}))
    np.testing.assert_array_equal(known.values, more.values)


@pytest.mark.parametrize("axis", AXES)
def test_samples_without_a_number_are_skipped(axis: str) -> None:
    """A sample one of whose values is null is left out."""
    readings = decode(message(sample(**{axis: None}), sample(t=1698501144.5)))
    np.testing.assert_array_equal([1698501144.5], readings.times)


@pytest.mark.parametrize(
    ("lacking", "what"),
    [(AXES[3:], "gyroscope"), (AXES[:3], "accelerometer"), (("ry",), "gyroscope")],
)
def test_phones_without_a_sensor(lacking: tuple[str, ...], what: str) -> None:
    """Where no sample has a rotation or an acceleration, the explanation says so."""
    sent = sample(**dict.fromkeys(lacking))
    with pytest.raises(MessageError, match=what) as rejected:
        browser.decode(message(sent, sent), "phone-7")
    assert "field" == rejected.value.reason


def test_no_sample_is_whole() -> None:
    """Where each sample lacks something else, none is left."""
    assert "length" == reason_of(message(sample(rx=None), sample(agx=None)))


def test_an_empty_message() -> None:
    """A message without samples is rejected for its length."""
    assert "length" == reason_of(message())


def test_the_topic_names_the_device_first() -> None:
    """The name in the topic, which a broker can police, goes before the one in the payload."""
    assert "phone-7" == decode(message(sample(), device="web-7f3a"), "phone-7").device
    assert "Telefön 📱" == decode(message(sample(), device="Telefön 📱"), None).device
    assert "device" == reason_of(message(sample()), None)
    assert "device" == reason_of(message(sample(), device="a/b"), None)


@pytest.mark.parametrize(
    "payload",
    [
        message(sample(), v=2),
        message(sample(), unit="m/s^2"),
        message(sample(), unit=None),
        message(sample(), gyro_unit="rpm"),
        message(sample(), platform=7),
        message(sample(), device=7),
        message(sample(), recording=None),
        message(samples=None),
        message(samples=sample()),
        message([1698501144.4, 0.2, 9.7, 1.3, 0.7, 2.8, 0.1]),
        message(sample(t=None)),
        message(sample(t="now")),
        message(sample(agx="0.2")),
        message(sample(rx=True)),
        *(message({key: 1.0 for key in ("t", *AXES) if key != axis}) for axis in ("t", *AXES)),
    ],
    ids=lambda payload: payload.decode()[9:90],
)
def test_fields_that_do_not_fit(payload: bytes) -> None:
    """Missing keys, other types, units or versions are rejected as that."""
    assert "field" == reason_of(payload)


def test_too_many_samples() -> None:
    """A message with more samples than are taken is rejected for its length."""
    assert MAX_ROWS == len(decode(message(*[sample()] * MAX_ROWS)).times)
    assert "length" == reason_of(message(*[sample()] * (MAX_ROWS + 1)))


@pytest.mark.parametrize("time", [-1.0, 1698501144400, 1e300])
def test_times_that_are_not_epoch_seconds(time: float) -> None:
    """Times in milliseconds, before 1970 or beyond all bounds are rejected as that."""
    assert "time" == reason_of(message(sample(t=time)))


@pytest.mark.parametrize(
    "payload",
    [
        message(sample(agx=400.0)),
        message(sample(agx=1.7e308), unit="g"),
        message(sample(rx=101.0)),  # deg/s called rad/s
    ],
)
def test_magnitudes_that_no_phone_measures(payload: bytes) -> None:
    """Absurd accelerations and angular velocities are rejected as that."""
    assert "magnitude" == reason_of(payload)
