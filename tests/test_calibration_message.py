import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration, encode_calibration
from pipeline.readings import MessageError
from pipeline.recognition.placement.frames import (
    FRAMES,
)
from tests.recognition.placement.rotations import rotations


def message(rotation: object, **others: object) -> bytes:
    """Return a calibration message."""
    return msgspec.json.encode({"v": 1, "rotation": rotation, **others})


def encoded(rotation: NDArray[np.float64]) -> bytes:
    """Return the message that har-calibrate sends of a rotation."""
    return encode_calibration(
        rotation,
        created=1.7e9,
        gravity=np.array([9.8, 0, 0]),
        forward=np.array([0, 1.0, 0]),
        n_steps=11,
    )


@given(rotations)
def test_message_comes_back(rotation: NDArray[np.float64]) -> None:
    """An encoded rotation is decoded: the same to the last digits."""
    decoded = decode_calibration(encoded(rotation))
    assert decoded is not None
    np.testing.assert_allclose(rotation, decoded, atol=1e-12)


def test_message_holds_the_measurements() -> None:
    """The message holds, besides the rotation, what people may want to know of it."""
    assert {
        "v": 1,
        "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "created": 1.7e9,
        "gravity": [9.8, 0, 0],
        "forward": [0, 1, 0],
        "steps": 11,
    } == msgspec.json.decode(encoded(np.eye(3)))


def test_empty_message() -> None:
    """An empty payload takes the calibration back."""
    assert decode_calibration(b"") is None


def test_message_by_hand() -> None:
    """Whole numbers, unknown keys and nothing but the rotation are fine."""
    rotation = decode_calibration(message([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], by="me"))
    assert rotation is not None
    np.testing.assert_array_equal(FRAMES["portrait"], rotation)


@given(rotations)
def test_rounded_message(rotation: NDArray[np.float64]) -> None:
    """A rotation written with four digits becomes one that is exact."""
    decoded = decode_calibration(message(np.round(rotation, 4).tolist()))
    assert decoded is not None
    np.testing.assert_allclose(decoded @ decoded.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(decoded, rotation, atol=1e-4)


@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        (b"{", "no calibration"),
        (b"\xff", "no calibration"),
        (b"null", "no calibration"),
        (b'{"v": 1}', "no calibration"),
        (message(np.eye(2).tolist()), "no calibration"),
        (message([[1, 0], [0, 1], [0, 0]]), "no calibration"),
        (message([["1", "0", "0"]] * 3), "no calibration"),
        (b'{"v": 2, "rotation": [[1,0,0],[0,1,0],[0,0,1]]}', "no calibration"),
        (b'{"v": 1, "rotation": [[1e999,0,0],[0,1,0],[0,0,1]]}', "calibration|beyond 1"),
        (message((2 * np.eye(3)).tolist()), "beyond 1"),
        (message((0.99 * np.eye(3)).tolist()), "right angles"),
        (message([[1, 0, 0]] * 3), "right angles"),
        (message(np.zeros((3, 3)).tolist()), "right angles"),
        (message(np.diag([1, 1, -1]).tolist()), "reflection"),
    ],
)
def test_messages_that_hold_no_rotation(payload: bytes, explanation: str) -> None:
    """What is no rotation is refused with what is wrong with it."""
    with pytest.raises(MessageError, match=explanation) as refusal:
        decode_calibration(payload)
    assert "calibration" == refusal.value.reason


number = st.floats() | st.integers() | st.none() | st.text(max_size=3)


def test_a_message_of_any_length() -> None:
    """A message that is far longer than any of har-calibrate's is refused before it is read."""
    with pytest.raises(MessageError) as refusal:
        decode_calibration(b'{"v":1,"rotation":[[' + b"5e-324," * 1000 + b"0]]}")
    assert "size" == refusal.value.reason


@given(
    st.binary(max_size=50)
    | st.builds(message, st.lists(st.lists(number, max_size=4), max_size=4))
    | st.builds(message, st.lists(st.lists(st.floats(-1.1, 1.1), min_size=3, max_size=3)))
)
def test_any_message(payload: bytes) -> None:
    """Whatever the bytes are, they are a rotation, nothing, or refused."""
    try:
        rotation = decode_calibration(payload)
    except MessageError:
        return
    if rotation is None:
        assert b"" == payload
    else:
        assert pytest.approx(1) == np.linalg.det(rotation)
