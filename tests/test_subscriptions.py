import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import FORMATS
from pipeline.readings import MAX_PAYLOAD_BYTES, MessageError, Readings
from pipeline.subscriptions import (
    Route,
    SubscriptionError,
    parse,
    route,
    subscriptions_of,
    unasked,
)

NATIVE = FORMATS["native"]
MESSAGE = {
    "start": 1698501144.4,
    "rate": 50.0,
    "acc": [[0.1, 9.7, 1.0]],
    "acc_unit": "m/s2",
    "gyro": [[0.0, 0.0, 0.0]],
    "gyro_unit": "rad/s",
}

levels = st.text(alphabet="ab$.(\n é", max_size=3)
topics = st.lists(levels, min_size=1, max_size=4)
filters = st.lists(levels | st.just("+"), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([parts, [*parts, "#"]])
)


def takes(filter_levels: list[str], topic_levels: list[str]) -> bool:
    """Return whether a topic filter takes a topic, as MQTT 5 section 4.7 has it."""
    if not filter_levels or not topic_levels:
        return not topic_levels and filter_levels in ([], ["#"])
    if filter_levels[0] == "#":
        return True
    if filter_levels[0] not in ("+", topic_levels[0]):
        return False
    return takes(filter_levels[1:], topic_levels[1:])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str) -> None:
    """Each format can be subscribed to on its usual topic."""
    subscription = parse(f"{FORMATS[name].topic}={name}")
    assert FORMATS[name].topic == subscription.filter
    assert FORMATS[name] is subscription.format


def test_a_topic_with_an_equals_sign() -> None:
    """The last equals sign parts topic and format."""
    assert "a=b/+" == parse("a=b/+=native").filter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "native",
        "har/+/samples",
        "=native",
        "har/+/samples=",
        "har/+/samples=other",
        "har/+/samples=Native",
        "har/+/samples=sensor_logger",
        "har/+/samples=native ",
        "har/phone+/samples=native",
        "har/++/samples=native",
        "har/#/samples=native",
        "har/samples#=native",
        "##=native",
    ],
)
def test_what_is_no_subscription(text: str) -> None:
    """Without topic or known format, or with wildcards that are part of a level, it is refused."""
    with pytest.raises(SubscriptionError):
        parse(text)


def test_the_explanation_lists_the_formats() -> None:
    """Whoever misspells a format is told which there are."""
    with pytest.raises(SubscriptionError, match=r"native, .*sensor-logger"):
        parse("har/+/samples=natve")


@pytest.mark.parametrize(
    ("text", "topic", "device"),
    [
        ("har/+/samples=native", "har/phone-7/samples", "phone-7"),
        ("har/+/samples=native", "har//samples", ""),
        ("+=native", "phone-7", "phone-7"),
        ("+/+/samples=native", "har/phone-7/samples", "har"),
        ("har/+/#=native", "har/phone-7", "phone-7"),
        ("har/+/#=native", "har/phone-7/a/b", "phone-7"),
        ("har/+/#=native", "har/phone-7/", "phone-7"),
        ("har/#=native", "har/phone-7/samples", None),
        ("har/#=native", "har", None),
        ("#=native", "har/phone-7/samples", None),
        ("har/samples=native", "har/samples", None),
        ("h.r/(a/+=native", "h.r/(a/phone-7", "phone-7"),
        ("/+=native", "/phone-7", "phone-7"),
        ("har/+=native", "har/Telefön\n📱", "Telefön\n📱"),
    ],
)
def test_topics_that_are_taken(text: str, topic: str, device: str | None) -> None:
    """The level that the first + stands for is the device; without + nobody is named."""
    found = route([parse(text)], topic)
    assert found is not None
    assert (found.format, found.device) == (NATIVE, device)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("har/+/samples=native", "har/samples"),
        ("har/+/samples=native", "har/a/b/samples"),
        ("har/+/samples=native", "har/phone-7/samples/"),
        ("har/+/samples=native", "har/phone-7/samples\n"),
        ("har/+/samples=native", "har/phone-7/Samples"),
        ("har/+/samples=native", ""),
        ("har/#=native", "hard/phone-7"),
        ("har/+/#=native", "har"),
        ("h.r=native", "har"),
        ("+=native", "har/phone-7"),
    ],
)
def test_topics_that_are_not_taken(text: str, topic: str) -> None:
    """Topics of another depth or with other words belong to no subscription."""
    assert route([parse(text)], topic) is None


@given(filter_levels=filters, topic_levels=topics)
@settings(max_examples=1000, deadline=None)
def test_filters_match_as_in_mqtt(filter_levels: list[str], topic_levels: list[str]) -> None:
    """A subscription takes just the topics that a broker would send for its filter."""
    if filter_levels == [""]:
        return  # no topic filter
    subscription = parse("/".join(filter_levels) + "=native")
    found = route([subscription], "/".join(topic_levels))
    assert takes(filter_levels, topic_levels) == (found is not None)
    if found is not None and "+" in filter_levels:
        assert topic_levels[filter_levels.index("+")] == found.device


def test_the_first_subscription_decides() -> None:
    """Where several subscriptions take a topic, the first says what it holds."""
    subscriptions = [parse("lab/#=sensor-logger"), parse("lab/+=native"), parse("+/+=browser")]
    fixed = Route(FORMATS["sensor-logger"], None, "lab/#")
    assert route(subscriptions, "lab/phone-7") == fixed
    named = Route(FORMATS["browser"], "home", "home/+")
    assert route(subscriptions, "home/phone-7") == named
    assert route(subscriptions, "home/phone-7/samples") is None


def test_a_route_decodes() -> None:
    """A route gives the payload and its device to the format."""
    found = route([parse("har/+/samples=native")], "har/phone-7/samples")
    assert found is not None
    (readings,) = found.decode(json.dumps(MESSAGE).encode())
    assert isinstance(readings, Readings)
    assert "phone-7" == readings.device


def test_a_topic_that_names_nobody() -> None:
    """A format whose payload names no device says that the subscription needs a +."""
    found = route([parse("har/samples=native")], "har/samples")
    assert found is not None
    with pytest.raises(MessageError, match=re.escape("har/+/samples")) as rejected:
        found.decode(json.dumps(MESSAGE).encode())
    assert "device" == rejected.value.reason


@pytest.mark.parametrize("name", FORMATS)
def test_payloads_that_are_too_large(name: str) -> None:
    """A payload of more than a mebibyte is rejected before it is read, in every format."""
    with pytest.raises(MessageError) as rejected:
        Route(FORMATS[name], "phone-7", "").decode(b" " * (MAX_PAYLOAD_BYTES + 1))
    assert "size" == rejected.value.reason


def test_the_largest_payload() -> None:
    """The bound itself is within the bounds."""
    payload = json.dumps(MESSAGE).encode().ljust(MAX_PAYLOAD_BYTES)
    assert 1 == len(Route(NATIVE, "phone-7", "").decode(payload))


def test_where_all_messages_of_a_device_come() -> None:
    """The topic filter of one device is the subscription's with its name in place of the +."""
    found = route([parse("spots/+/#=sensorspot")], "spots/one/accelerometer")
    assert found is not None
    assert "spots/one/#" == found.topic


def test_what_need_not_be_named() -> None:
    """The usual topics that name the phone are read, if that is not switched off."""
    found = [one.filter for one in subscriptions_of([], with_defaults=True)]
    assert ["browser/+", "sensor-logger/+", "sensorspot/+/#", "phyphox/+", "har/+/samples"] == found
    assert found[:-1] == unasked([], with_defaults=True)
    assert ["har/+/samples"] == [one.filter for one in subscriptions_of([], with_defaults=False)]
    assert [] == unasked([], with_defaults=False)


def test_what_is_named_comes_first() -> None:
    """Its format holds for its topic, also where that is one of the usual."""
    subscriptions = subscriptions_of(["phyphox/+=native"], with_defaults=True)
    found = route(subscriptions, "phyphox/anna")
    assert found is not None
    assert NATIVE is found.format
    assert 1 == [one.filter for one in subscriptions].count("phyphox/+")
    assert "phyphox/+" not in unasked(["phyphox/+=native"], with_defaults=True)
