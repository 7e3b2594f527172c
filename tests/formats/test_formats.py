import json
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.formats
from pipeline.formats import FORMATS
from pipeline.readings import Label, MessageError, Readings
from pipeline.subscriptions import parse, route
from tests.formats.json_values import json_values

EXAMPLES_FOLDER = Path(__file__).parent / "examples"
EXAMPLES = sorted(EXAMPLES_FOLDER.glob("*.json"))
WITH_SAMPLES = ["browser-ios", "native", "phyphox", "sensor-logger-android", "sensorspot"]
REJECTED = {
    "browser-without-gyroscope": "field",
    "sensorspot-dedicated-topic": "field",
}
"""Examples of what apps send that cannot be used, with the reason."""
REASONS = {"device", "size", "json", "format", "field", "length", "time", "magnitude"}
RESULTS = ["prediction", "activity", "episode", "availability", "info", "calibration", "label"]


def format_of(example: Path) -> str:
    """Return the name of the format that an example file is in."""
    return max((name for name in FORMATS if example.stem.startswith(name)), key=len)


def places_in(value: object) -> list[tuple[Any, Any]]:
    """Return every container in a JSON value with each of its keys or indices."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    inner = [place for key in keys for place in places_in(value[key])]
    return [(value, key) for key in keys] + inner


@st.composite
def mutated_examples(draw: Callable[..., Any]) -> tuple[str, bytes]:
    """Return a format, and one of its examples with some places changed, doubled or left out."""
    path = draw(st.sampled_from(EXAMPLES))
    message = deepcopy(json.loads(path.read_bytes()))
    for _ in range(draw(st.integers(1, 3))):
        places = places_in(message)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "number", "null", "remove", "double"])):
            case "replace":
                container[key] = draw(json_values)
            case "number":
                container[key] = draw(st.floats() | st.integers(-(10**30), 10**30))
            case "null":
                container[key] = None
            case "remove":
                del container[key]
            case "double" if isinstance(container, list):
                container.insert(key, container[key])
            case "double":
                container[f"{key}2"] = container[key]
    return format_of(path), json.dumps(message).encode()


@st.composite
def mutated_bytes(draw: Callable[..., Any]) -> tuple[str, bytes]:
    """Return a format, and one of its examples with some of its bytes replaced."""
    path = draw(st.sampled_from(EXAMPLES))
    payload = path.read_bytes()
    first = draw(st.integers(0, len(payload)))
    length = draw(st.integers(0, 20))
    inserted = draw(st.binary(max_size=5) | st.sampled_from([b"]", b"}", b"[", b"1e999", b"NaN"]))
    return format_of(path), payload[:first] + inserted + payload[first + length :]


def accepts_or_rejects(name: str, payload: bytes, device: str | None) -> None:
    """Decode a message that may be wrong in any way: plausible contents, or a known reason."""
    try:
        contents = FORMATS[name].decode(payload, device)
    except MessageError as rejection:
        reason, explanation = rejection.reason, str(rejection)
    else:
        check_contents(contents)
        return
    assert reason in REASONS
    assert explanation


def check_contents(contents: Sequence[Readings | Label]) -> None:
    """Check that readings and labels are such as the core can take."""
    for one in contents:
        if isinstance(one, Label):
            assert math.isfinite(one.time)
        else:
            assert 1 <= len(one.times) == len(one.values)
            assert np.isfinite(one.times).all()
            assert np.isfinite(one.values).all()


def test_every_module_is_a_format() -> None:
    """The registry lists just the modules of the folder, so a new one will be found."""
    (folder,) = pipeline.formats.__path__
    files = {file.stem for file in Path(folder).glob("*.py")} - {"__init__"}
    modules = files | {package.parent.name for package in Path(folder).glob("*/__init__.py")}
    assert {name.replace("_", "-") for name in modules} == set(FORMATS)
    assert [one.name for one in FORMATS.values()] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_summary_is_a_line(name: str) -> None:
    """A format says in a line of at most 80 characters what it is."""
    summary = FORMATS[name].summary
    assert summary == summary.strip()
    assert 1 <= len(summary) <= 80
    assert "\n" not in summary


@pytest.mark.parametrize("name", FORMATS)
def test_usual_topics_do_not_collide(name: str) -> None:
    """With every format on its usual topic, each message is read in its own format."""
    subscriptions = [parse(f"{one.topic}={one.name}") for one in FORMATS.values()]
    topic = FORMATS[name].topic.replace("+", "phone-7").replace("/#", "")
    found = route(subscriptions, topic)
    assert found is not None
    assert name == found.format.name
    assert found.device == ("phone-7" if "+" in FORMATS[name].topic else None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("result", RESULTS)
def test_results_are_not_taken_for_samples(name: str, result: str) -> None:
    """No format's usual topic takes what is published about a phone."""
    subscription = parse(f"{FORMATS[name].topic}={name}")
    assert route([subscription], f"har/phone-7/{result}") is None


@pytest.mark.parametrize("name", FORMATS)
def test_there_is_an_example(name: str) -> None:
    """Each format has examples of what its senders say."""
    assert name in {format_of(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_examples(example: Path) -> None:
    """Each example is accepted, but for those that no format can use."""
    reason = None
    try:
        FORMATS[format_of(example)].decode(example.read_bytes(), "phone-7")
    except MessageError as error:
        reason = error.reason
    assert reason == REJECTED.get(example.stem)


@pytest.mark.parametrize("example", WITH_SAMPLES)
@pytest.mark.parametrize("device", ["", "$SYS", "a/b", "a\nb", "x" * 65])
def test_names_that_topics_cannot_hold(example: str, device: str) -> None:
    """Samples from a device with such a name are rejected as that, in every format."""
    path = EXAMPLES_FOLDER / f"{example}.json"
    with pytest.raises(MessageError) as rejected:
        FORMATS[format_of(path)].decode(path.read_bytes(), device)
    assert "device" == rejected.value.reason


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"hello",
        b"{",
        b'{"v": 1',
        b"\xff\xfe\x00",
        b'{"deep":' + b"[" * 100_000,
        b'{"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"recording": NaN}',
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_not_json(name: str, payload: bytes) -> None:
    """Bytes that are not JSON, or nested without end, are rejected as that in every format."""
    with pytest.raises(MessageError) as rejected:
        FORMATS[name].decode(payload, "phone-7")
    assert "json" == rejected.value.reason


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("payload", [b"null", b"17", b'"text"', b"[]", b"{}", b"true"])
def test_json_of_another_kind(name: str, payload: bytes) -> None:
    """JSON that is no message is rejected for its fields in every format."""
    with pytest.raises(MessageError) as rejected:
        FORMATS[name].decode(payload, "phone-7")
    assert "field" == rejected.value.reason


devices = st.none() | st.just("phone-7") | st.text(max_size=10)


@given(name=st.sampled_from(sorted(FORMATS)), payload=st.binary(max_size=200), device=devices)
@settings(max_examples=500, deadline=None)
def test_any_bytes(name: str, payload: bytes, device: str | None) -> None:
    """No bytes from no device raise anything but a MessageError."""
    accepts_or_rejects(name, payload, device)


@given(name=st.sampled_from(sorted(FORMATS)), message=json_values, device=devices)
@settings(max_examples=500, deadline=None)
def test_any_json(name: str, message: object, device: str | None) -> None:
    """No JSON raises anything but a MessageError."""
    accepts_or_rejects(name, json.dumps(message).encode(), device)


@given(mutated=mutated_examples(), device=devices)
@settings(max_examples=2000, deadline=None)
def test_nearly_right_messages(mutated: tuple[str, bytes], device: str | None) -> None:
    """Examples with places changed or left out raise nothing but a MessageError."""
    accepts_or_rejects(*mutated, device)


@given(mutated=mutated_bytes(), device=devices)
@settings(max_examples=1000, deadline=None)
def test_damaged_messages(mutated: tuple[str, bytes], device: str | None) -> None:
    """Examples with some bytes damaged raise nothing but a MessageError."""
    accepts_or_rejects(*mutated, device)
