from pipeline.commands.program_info import ProgramInfo
from pipeline.commands.replay.awaited_stream import HarStream
from pipeline.messages import Message

INFO = ProgramInfo.of(["tiny@0badcafe"], hop=32, formats=["native"]).publication


def status(payload: bytes, *, retained: bool) -> Message:
    """Return a message on har/status."""
    return Message("har/status", payload, 0.0, retained=retained)


def info(*, retained: bool) -> Message:
    """Return a message on har/info that names the hop 32."""
    return Message(INFO.topic, INFO.payload, 0.0, retained=retained)


def test_what_is_retained() -> None:
    """Status and info come in either order, and belong together."""
    for messages in (
        [status(b"degraded", retained=True), info(retained=True)],
        [info(retained=True), status(b"online", retained=True)],
    ):
        har_stream = HarStream()
        assert [True, True] == [har_stream.note(message) for message in messages]
        assert HarStream(is_online=True, hop=32) == har_stream


def test_a_har_stream_that_starts_later() -> None:
    """The hop that an earlier run has left is forgotten; that of the new one counts."""
    har_stream = HarStream()
    har_stream.note(info(retained=True))
    har_stream.note(status(b"offline", retained=True))
    har_stream.note(status(b"online", retained=False))
    assert HarStream(is_online=True, hop=None) == har_stream
    har_stream.note(info(retained=False))
    har_stream.note(status(b"degraded", retained=False))
    assert HarStream(is_online=True, hop=32) == har_stream


def test_other_messages() -> None:
    """Predictions are none of its."""
    assert not HarStream().note(Message("har/phone-7/prediction", b"{}", 0.0))
