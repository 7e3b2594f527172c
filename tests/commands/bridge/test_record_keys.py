import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.bridge.record_keys import RecordKeys
from pipeline.messages import Message
from pipeline.readings import is_device
from pipeline.subscriptions import subscriptions_of

KEYS = RecordKeys(subscriptions_of(["shared=sensor-logger"], with_defaults=True))
READING = '{"name": "accelerometer", "time": 1698501144400000000, "values": {"x":0,"y":0,"z":9}}'
OF_ONE = f'{{"deviceId": "p-1", "sessionId": "s", "payload": [{READING}]}}'.encode()


@pytest.mark.parametrize(
    ("topic", "payload", "key"),
    [
        ("har/p-1/samples", b"{}", b"p-1"),
        ("har/p-1/calibration", b"", b"p-1"),
        ("har/p-1/options", b"x", b"p-1"),
        ("har/p-1/label", b"WALKING", b"p-1"),
        ("browser/p-1", b"x", b"p-1"),
        ("sensorspot/p-1/any/more", b"x", b"p-1"),
        ("har/Gerät 7/samples", b"x", "Gerät 7".encode()),
        ("shared", OF_ONE, b"p-1"),
        ("shared", b"nonsense", b"shared"),
        ("shared", b"", b"shared"),
        ("shared", OF_ONE.replace(b"p-1", b"a/b"), b"shared"),
        ("har//samples", b"x", b"har//samples"),
        ("har/$p/samples", b"x", b"har/$p/samples"),
        ("har//label", b"x", b"har//label"),
        ("elsewhere/p-1", b"x", b"elsewhere/p-1"),
    ],
)
def test_the_key_is_the_device(topic: str, payload: bytes, key: bytes) -> None:
    """It is that of the topic, else of the payload; what names none goes under its topic."""
    assert (key, [("topic", topic.encode())]) == KEYS.of(Message(topic, payload, 0.0))


def test_what_was_retained() -> None:
    """It says so, also behind a message of the same topic that was not."""
    KEYS.of(Message("har/p/calibration", b"", 0.0))
    key, headers = KEYS.of(Message("har/p/calibration", b"", 0.0, retained=True))
    assert (b"p", [("topic", b"har/p/calibration"), ("retained", b"1")]) == (key, headers)


@given(st.text(), st.binary(max_size=100))
def test_any_message_has_a_key(topic: str, payload: bytes) -> None:
    """It is a device's name, or the topic; nothing that is sent is an error here."""
    text = topic.encode(errors="replace").decode()
    for name in (text, f"har/{text}/samples", f"har/{text}/label", "shared"):
        key, _ = KEYS.of(Message(name, payload, 0.0))
        assert key.decode() == name or is_device(key.decode())
