"""Two clients with one name: one has the session, and they do not fight for it."""

import threading

import pytest

from pipeline.mqtt.events import Session
from tests.fake_broker import SUBSCRIBE, TIMEOUT_S, FakeBroker, Script, packet
from tests.mqtt.connecting import connection_to

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


def test_who_takes_our_place_keeps_it() -> None:
    """A session that another has taken over is left to it, with an error that says so."""
    with FakeBroker(Script(then=packet(0xE0, b"\x8e"))) as broker:
        connection = connection_to(broker, session=Session("me", 60, expected=False))

        def start_and_take() -> None:
            connection.start(retry=True)
            connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)

        with pytest.raises(ConnectionError, match="taken our place"):
            start_and_take()
        network = [one for one in threading.enumerate() if one.name.endswith("client-me")]
        for one in network:
            one.join(TIMEOUT_S)  # it does not try again
            assert not one.is_alive()
        connection.close(timeout_s=0.0)


@pytest.mark.parametrize(("younger_by", "stays"), [(-1, True), (0, True), (1, False)])
def test_of_two_with_one_name_the_younger_stays(younger_by: int, stays: bool) -> None:
    """Where the broker does not tell who took our place, the other one's mark does."""
    logins: list[bytes] = []

    def script(connect: bytes) -> Script:
        logins.append(connect)
        own_start = int(connect.split(b"\x0ahar-stream")[1].split(b"me ")[1].split(b"\x00")[0])
        mark = f"me {own_start + younger_by}"
        properties = b"\x26\x00\x0ahar-stream" + len(mark).to_bytes(2) + mark.encode()
        status = packet(
            0x31, b"\x00\x0ahar/status" + bytes([len(properties)]) + properties + b"offline"
        )
        return Script(end=len(logins) == 1, then=status)

    with FakeBroker(script) as broker:
        connection = connection_to(
            broker, status_topic="har/status", session=Session("me", 60, expected=False)
        )
        connection.start(retry=True)
        broker.await_packet(SUBSCRIBE, times=2)  # the first time, marks are from before
        if stays:
            assert [] == connection.take(timeout_s=0.1, gather_s=0.0)
        else:
            with pytest.raises(ConnectionError, match="taken our place"):
                connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        connection.close(timeout_s=0.0)
