"""The message on ``har/<device>/calibration``: how a phone is worn, as har-calibrate measured."""

from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MessageError

MAX_CALIBRATION_BYTES: Final = 4_096
"""Ten times what har-calibrate writes"""

ROTATION_TOLERANCE: Final = 1e-3
"""How far a rotation in a message may be from one, in each entry of the product with its transpose;
four digits after the point will do."""

MatrixRow = Annotated[list[float], msgspec.Meta(min_length=3, max_length=3)]


class _Message(msgspec.Struct):
    v: Literal[1]
    rotation: Annotated[list[MatrixRow], msgspec.Meta(min_length=3, max_length=3)]


_decoder = msgspec.json.Decoder(_Message)


def encode_calibration(
    rotation: NDArray[np.float64],
    *,
    created: float,
    gravity: NDArray[np.float64],
    forward: NDArray[np.float64],
    n_steps: int,
) -> bytes:
    """Return the message that gives har-stream a calibration.

    Args:
        rotation: ``(3, 3)``, from the phone's axes (Android) to the training frame.
        created: epoch seconds.
        gravity: ``(3,)`` m/s², the accelerometer's reading while the wearer stood still.
        forward: ``(3,)``, the direction of walking in the phone's axes.
        n_steps: steps walked.
    """
    return msgspec.json.encode(
        {
            "v": 1,
            "rotation": rotation.tolist(),
            "created": created,
            "gravity": gravity.tolist(),
            "forward": forward.tolist(),
            "steps": n_steps,
        }
    )


def encode_rotation(rotation: NDArray[np.float64]) -> bytes:
    """Return the message that gives har-stream a calibration of which only this is known.

    ``rotation`` ``(3, 3)`` goes from the phone's axes (Android) to the training frame.
    """
    return msgspec.json.encode({"v": 1, "rotation": rotation.tolist()})


def decode_calibration(payload: bytes) -> NDArray[np.float64] | None:
    """Return the rotation ``(3, 3)`` that a message holds, None if it takes the calibration back.

    It goes from the phone's axes (Android) to the training frame. A matrix that is a rotation up to
    rounding becomes the nearest exact rotation.

    Raises:
        MessageError: the message holds no rotation.
    """
    if not payload:
        return None
    if len(payload) > MAX_CALIBRATION_BYTES:
        raise MessageError("size", f"{len(payload)} bytes; at most {MAX_CALIBRATION_BYTES}")
    try:
        rotation = np.array(_decoder.decode(payload).rotation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(
            "calibration", f"no calibration ({error}): let har-calibrate write it"
        ) from error
    if not np.abs(rotation).max() <= 1 + ROTATION_TOLERANCE:
        raise MessageError("calibration", "no rotation: it has an entry beyond 1")
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise MessageError("calibration", "no rotation: its rows are not at right angles, 1 long")
    u, _, v = np.linalg.svd(rotation)
    nearest: NDArray[np.float64] = u @ v
    if np.linalg.det(nearest) < 0:
        raise MessageError("calibration", "a reflection, not a rotation: one axis has a wrong sign")
    return nearest
