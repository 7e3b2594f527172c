"""Brokers that refuse: every reason code, of logins, subscriptions and publications, has a name."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from tests.fake_broker import TIMEOUT_S, FakeBroker, Script, packet
from tests.mqtt.connecting import connection_to, failure

REFUSALS: Final = range(128, 256)
NAMES: Final = ReasonCode(PacketTypes.CONNACK).names

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


def expected_name(code: int) -> str:
    """Return how a reason code is called for people."""
    return next(iter(NAMES[code])) if code in NAMES else f"reason code {code}"


def sweep(broker: FakeBroker, codes: range, *, protocol: str) -> dict[int, str]:
    """Return why connections fail whose names tell the reason code that they are to get."""
    with ThreadPoolExecutor(16) as executor:
        failures = executor.map(
            lambda code: failure(broker, protocol=protocol, name=f"code{code}x"), codes
        )
        return dict(zip(codes, failures, strict=True))


def told_code(connect: bytes) -> int:
    """Return the reason code in the name of the client that logs in."""
    return int(connect.split(b"code")[1].split(b"x")[0])


@pytest.mark.parametrize("kind", ["login", "subscription", "end"])
def test_every_refusal_has_a_name(kind: str) -> None:
    """Whatever reason code a broker of MQTT 5 gives, also one unknown to paho, it is said."""

    def script(connect: bytes) -> Script:
        code = told_code(connect)
        if kind == "login":
            return Script(login=code)
        if kind == "subscription":
            return Script(subscriptions=(code, code))
        return Script(login=packet(0xE0, bytes([code])))

    with FakeBroker(script) as broker:
        failures = sweep(broker, REFUSALS, protocol="5")
    for code, why in failures.items():
        wanted = "taken our place" if (kind, code) == ("end", 0x8E) else expected_name(code)
        assert wanted in why, code


def test_every_refusal_of_3_1_1() -> None:
    """So it is with the return codes of a login of MQTT 3.1.1, of which there are five."""
    known = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
    with FakeBroker(lambda connect: Script(v5=False, login=told_code(connect))) as broker:
        failures = sweep(broker, range(1, 256), protocol="3.1.1")
    for code, why in failures.items():
        assert expected_name(known.get(code, code)) in why, code


def test_every_refusal_of_a_subscription_of_3_1_1() -> None:
    """There only 128 is one, but others are not taken for a subscription either."""
    with FakeBroker(
        lambda connect: Script(v5=False, subscriptions=(told_code(connect),) * 2)
    ) as broker:
        failures = sweep(broker, REFUSALS, protocol="3.1.1")
    for code, why in failures.items():
        assert f"the subscription to a and b ({expected_name(code)})" in why


def test_every_refusal_of_a_publication(caplog: pytest.LogCaptureFixture) -> None:
    """Each is said once, the connection goes on, and what was published counts as delivered."""
    with FakeBroker(Script(publications=tuple(REFUSALS))) as broker:
        connection = connection_to(broker)
        connection.start(retry=False)
        for _ in range(2 * len(REFUSALS)):
            connection.publish("t", b"")
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        assert connection.ready.is_set()
        connection.close(timeout_s=0.0)
    for code in REFUSALS:
        assert 1 == caplog.text.count(f"refuses what is published: {expected_name(code)}; may"), (
            code
        )


def test_what_nobody_asked_for_may_be_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It is no fault, and nothing is said of it."""
    with FakeBroker(Script(subscriptions=(1, 0x87, 0x87))) as broker:
        connection = connection_to(broker, subscriptions=["a", "b", "c"], unasked=["c"])
        connection.start(retry=False)
        assert ("b",) == connection.refused
        assert 1 == connection.n_connections
        connection.close(timeout_s=0.0)
    assert "subscription to c" not in caplog.text


def test_what_is_optional_may_be_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Without one of the other subscriptions, or with one of them, it goes on, and that is said."""
    for codes, refused in (((1, 0x87, 0x87), ("b", "c")), ((1, 1, 0x80), ("c",))):
        with FakeBroker(Script(subscriptions=codes)) as broker:
            connection = connection_to(broker, subscriptions=["a", "b", "c"], optional=["c"])
            connection.start(retry=False)
            assert refused == connection.refused
            connection.close(timeout_s=0.0)
    assert "the broker refuses the subscription to b: Not authorized" in caplog.text
    with FakeBroker(Script(subscriptions=(0x87, 0x80, 1))) as broker:
        connection = connection_to(broker, subscriptions=["a", "b", "c"], optional=["c"])
        with pytest.raises(
            ConnectionError, match=r"a and b \(Not authorized, Unspecified error\): may"
        ):
            connection.start(retry=True)
