from pathlib import Path

import msgspec
import numpy as np

from tests.commands.record.sent import Recording, samples


def compact(payload: bytes) -> bytes:
    """Return a native message of JSON in the compact form."""
    content = msgspec.json.decode(payload)
    binary = {key: np.array(content[key], "<f4").tobytes() for key in ("acc", "gyro")}
    return msgspec.msgpack.encode(content | binary)


def test_compact_messages_are_recorded(tmp_path: Path) -> None:
    """They are kept as what they say, like JSON's, up to what a float32 holds; both may come."""
    as_json, mixed = Recording(tmp_path / "json"), Recording(tmp_path / "mixed")
    for number in range(4):
        payload = samples(number / 2)
        as_json.take("har/phone-7/samples", payload)
        mixed.take("har/phone-7/samples", compact(payload) if number % 2 else payload)
    (expected,), (found,) = as_json.results(), mixed.results()
    assert expected.n_samples == found.n_samples == 100
    for one, other in zip(expected.messages, found.messages, strict=True):
        np.testing.assert_array_equal(one[0].readings.times, other[0].readings.times)
        np.testing.assert_allclose(one[0].readings.values, other[0].readings.values, rtol=1e-6)
