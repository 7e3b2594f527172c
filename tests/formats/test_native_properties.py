import contextlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import native
from pipeline.readings import MessageError, Readings
from pipeline.vocabulary import CHANNELS
from tests.formats.json_values import json_values
from tests.formats.native_messages import REASONS, as_bin, messagepack, sensor, separate

rows_of = {
    columns: st.lists(
        st.lists(st.floats() | st.integers(), min_size=columns, max_size=columns), max_size=4
    )
    for columns in (3, 9)
}


def sensors_of(units: list[str]) -> st.SearchStrategy[dict[str, object]]:
    """Return a strategy for one sensor that is nearly right."""
    return st.fixed_dictionaries(
        {},
        optional={
            "time": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
            "values": rows_of[3] | json_values,
            "unit": st.sampled_from(units) | json_values,
        },
    )


nearly_right = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | json_values,
        "start": st.floats() | st.integers() | json_values,
        "rate": st.floats() | st.integers() | json_values,
        "time": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
        "acc": rows_of[3] | json_values,
        "acc_unit": st.sampled_from(["m/s2", "g"]) | json_values,
        "gyro": rows_of[3] | json_values,
        "gyro_unit": st.sampled_from(["rad/s", "deg/s"]) | json_values,
        "sensors": st.fixed_dictionaries(
            {},
            optional={
                "gravity": sensors_of(["m/s2", "g"]) | json_values,
                "gyroscope": sensors_of(["rad/s", "deg/s"]) | json_values,
            },
        )
        | json_values,
        "channels": st.permutations(CHANNELS) | json_values,
        "samples": rows_of[9] | json_values,
        "recording": st.text(max_size=5) | json_values,
        "convention": st.sampled_from(["android", "ios"]) | json_values,
    },
)

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)
float32_numbers = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(
    -99, 99, width=32
)


@st.composite
def right_but_for_the_numbers(
    draw: Callable[..., Any], values: st.SearchStrategy[float] = numbers
) -> dict[str, Any]:
    """Return a message of the right form whose numbers are any JSON can write."""
    n_rows = draw(st.integers(1, 3))

    def rows(columns: int) -> list[list[float]]:
        return [[draw(values) for _ in range(columns)] for _ in range(n_rows)]

    times = [draw(numbers) for _ in range(n_rows)]
    units = {
        "acc_unit": draw(st.sampled_from(["m/s2", "g"])),
        "gyro_unit": draw(st.sampled_from(["rad/s", "deg/s"])),
    }
    start = {"start": draw(numbers), "rate": draw(st.floats(0, 1000, exclude_min=True))}
    dated = draw(st.sampled_from([start, {"time": times}]))
    match draw(st.sampled_from(["raw", "prepared", "sensors"])):
        case "raw":
            return dated | units | {"acc": rows(3), "gyro": rows(3)}
        case "prepared":
            return dated | {"channels": draw(st.permutations(CHANNELS)), "samples": rows(9)}
        case _:
            return separate(
                gravity=sensor(time=times, values=rows(3), unit=units["acc_unit"]),
                gyroscope=sensor(time=times, values=rows(3), unit=units["gyro_unit"]),
            )


def outcome(payload: bytes) -> list[object] | str:
    """Return all that a message's readings hold, bit for bit, or the reason it is rejected for."""
    try:
        contents = native.decode(payload, "phone-7")
    except MessageError as rejection:
        return rejection.reason
    return [_bits(readings) for readings in contents]


def _bits(readings: Readings) -> list[object]:
    return [
        value.tobytes() if isinstance(value, np.ndarray) else value
        for value in (getattr(readings, name) for name in readings.__struct_fields__)
    ]


def accepts_or_rejects(payload: bytes) -> None:
    """Decode a message that may be wrong in any way: finite readings, or a known reason."""
    try:
        contents = native.decode(payload, "phone-7")
    except MessageError as rejection:
        reason = rejection.reason
    else:
        for readings in contents:
            assert 1 <= len(readings.times) == len(readings.values)
            assert np.isfinite(readings.times).all()
            assert np.isfinite(readings.values).all()
        return
    assert reason in REASONS


@given(message=nearly_right)
@settings(max_examples=1000, deadline=None)
def test_nearly_right_messages(message: dict[str, object]) -> None:
    """Messages with the right keys and wrong values raise nothing but a MessageError."""
    accepts_or_rejects(json.dumps(message).encode())


@given(message=right_but_for_the_numbers())
@settings(max_examples=1000, deadline=None)
def test_any_numbers(message: dict[str, object]) -> None:
    """Messages of the right form with any numbers raise nothing but a MessageError."""
    accepts_or_rejects(json.dumps(message).encode())


@given(message=right_but_for_the_numbers(float32_numbers))
@settings(max_examples=400, deadline=None)
def test_the_compact_form_says_the_same(message: dict[str, object]) -> None:
    """Numbers that a float32 holds give the same readings in both forms, or the same rejection."""
    assert outcome(json.dumps(message).encode()) == outcome(messagepack(as_bin(message)))


@given(message=nearly_right)
@settings(max_examples=400, deadline=None)
def test_messagepack_says_what_json_says(message: dict[str, object]) -> None:
    """What both can write gives the same readings, or the same rejection."""
    try:
        as_json, compact = json.dumps(message, allow_nan=False).encode(), messagepack(message)
    except (ValueError, OverflowError):  # NaN, surrogates and long integers, which one cannot
        return
    assert outcome(as_json) == outcome(compact)


@given(message=nearly_right, data=st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_compact_messages(message: dict[str, object], data: st.DataObject) -> None:
    """Compact messages with some bytes replaced raise nothing but a MessageError."""
    try:
        payload = messagepack(data.draw(st.sampled_from([message, as_bin_where_possible(message)])))
    except (ValueError, OverflowError):
        return
    first = data.draw(st.integers(0, len(payload)))
    inserted = data.draw(st.binary(max_size=5))
    accepts_or_rejects(payload[:first] + inserted + payload[first + len(inserted) :])


def as_bin_where_possible(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with those of its rows as bytes that are rows of numbers."""
    changed = dict(message)
    for key in ("acc", "gyro", "samples", "time"):
        with contextlib.suppress(TypeError, ValueError, OverflowError, KeyError):
            changed |= as_bin({key: message[key]})
    return changed
