import pytest

from pipeline.readings import Clock
from pipeline.recognition.preparation.recording_sequence import (
    MOST_PAST,
    MOST_SHORT,
    RecordingSequence,
)
from pipeline.state.checkpoint import decode, encode

SECOND = 1.0


class Phone:
    """A phone's messages of a second each, and what a sequence makes of them."""

    def __init__(self) -> None:
        """Begin without messages."""
        self.sequence = RecordingSequence()
        self.newest = -float("inf")

    def send(self, recording: str, at_s: float, *, clock: Clock = "epoch") -> str:
        """Return what a message is whose samples begin at a time."""
        decision, _ = self.sequence.decide(
            recording, clock, oldest=at_s, newest=at_s + SECOND, newest_before=self.newest
        )
        if decision in ("goes on", "begins"):
            self.newest = at_s + SECOND
        return decision


def test_a_recording_goes_on() -> None:
    """Messages of the recording under way go on, whatever their times."""
    phone = Phone()
    assert "begins" == phone.send("walk", 100)
    assert ["goes on"] * 3 == [phone.send("walk", at) for at in (101, 99, 500)]


def test_the_same_name_again() -> None:
    """Of a recording that was left only what is not newer comes again; what follows is new."""
    phone = Phone()
    assert "begins" == phone.send("walk", 100)
    assert "begins" == phone.send("stand", 200)
    assert "repeated" == phone.send("walk", 100)
    assert "late" == phone.send("walk", 101.02)
    assert "goes on" == phone.send("stand", 201)
    assert "begins" == phone.send("walk", 300)
    assert "goes on" == phone.send("walk", 301)
    assert "repeated" == phone.send("stand", 201)


def test_partly_repeated() -> None:
    """Of a message that reaches beyond the newest sample, it is told up to where it comes again."""
    sequence = RecordingSequence()
    sequence.decide("a", "epoch", oldest=0, newest=10, newest_before=-1)
    sequence.decide("b", "epoch", oldest=50, newest=60, newest_before=10)
    assert ("begins", 10) == sequence.decide("a", "epoch", oldest=5, newest=15, newest_before=60)


def test_old_recordings_are_remembered() -> None:
    """Several recordings back a message that comes again is known; of more, the oldest is not."""
    phone = Phone()
    for number in range(MOST_PAST + 2):
        phone.send(f"recording {number}", 100 * number)
    assert "repeated" == phone.send("recording 3", 300)
    assert "begins" == phone.send("recording 0", 0)


def test_a_clock_of_another_kind() -> None:
    """Times since boot and since 1970 cannot be of one recording."""
    phone = Phone()
    phone.send("", 1e9)
    assert "begins" == phone.send("", 500, clock="boot")
    assert "goes on" == phone.send("", 501, clock="boot")


@pytest.mark.parametrize("names", [("a", "b"), ("", "b"), ("a", "b", "c")])
def test_taking_turns(names: tuple[str, ...]) -> None:
    """If recordings take turns, one of them goes on and the phone counts as two."""
    phone = Phone()
    decisions = [phone.send(name, 10.0 * number) for number in range(60) for name in names]
    assert phone.sequence.is_mixed
    assert ["goes on", *["mixed"] * (len(names) - 1)] == sorted(decisions[-len(names) :])
    for number in range(100):  # and when one of them has gone, it is one phone again
        phone.send(phone.sequence.recording, 1e6 + number)
    assert not phone.sequence.is_mixed


@pytest.mark.parametrize("length_s", [0.02, 0.1, 1.0, 5.0])
def test_turns_of_any_length(length_s: float) -> None:
    """Two phones stay two, and one of them is heard, however long their messages are."""
    sequence, newest, decisions = RecordingSequence(), -float("inf"), []
    for number in range(round(60 / length_s)):
        for name in "ab":
            oldest = number * length_s
            decision, _ = sequence.decide(
                name, "epoch", oldest=oldest, newest=oldest + length_s, newest_before=newest
            )
            decisions.append((decision, sequence.is_mixed))
            if decision in ("goes on", "begins"):
                newest = oldest + length_s
    after = decisions[round(2 / length_s) :]
    assert {("goes on", True), ("mixed", True)} == set(after[10:])


def test_bursts_beside_a_phone() -> None:
    """Who sends what it gathered over twenty seconds is heard beside one that sends at once."""
    sequence, newest, heard = RecordingSequence(), -float("inf"), []
    for second in range(300):
        for name, length_s in (("a", 20.0), ("b", 1.0)):
            if second % length_s:
                continue
            decision, _ = sequence.decide(
                *(name, "epoch"),
                oldest=second - length_s,
                newest=second - 0.02,
                newest_before=newest,
            )
            if decision in ("goes on", "begins"):
                newest = second - 0.02
                if second > 150:
                    heard.append(name)
    assert sequence.is_mixed
    assert 1 == len(set(heard))


def test_short_recordings() -> None:
    """It is told when every message names another recording, until one is long enough."""
    phone = Phone()
    for number in range(MOST_SHORT):
        phone.send(f"session {number}", number)
    assert not phone.sequence.is_too_short
    for number in range(MOST_SHORT, 10):
        phone.send(f"session {number}", number)
    assert phone.sequence.is_too_short
    for number in range(10, 14):
        phone.send("session 10", number)
    assert not phone.sequence.is_too_short


def test_the_other_goes_on_alone() -> None:
    """When the one that is heard has gone, another is heard after some messages."""
    phone = Phone()
    for number in range(10):
        phone.send("a", 10.0 * number)
        phone.send("b", 10.0 * number)
    other = "b" if phone.sequence.recording == "a" else "a"
    decisions = [phone.send(other, 1000.0 + number) for number in range(300)]
    assert "goes on" == decisions[-1]


def test_restored_senders() -> None:
    """What is saved and restored decides as before, with recordings or with a single one."""
    phones = [Phone() for _ in range(4)]
    for phone, names in zip(phones, ("abacab", "", ["", "", ""], "aaa"), strict=True):
        for number, name in enumerate(names):
            phone.send(name, 100.0 * number)
    before = [phone.sequence for phone in phones]
    saved = encode(RecordingSequence.state(before))
    restored = RecordingSequence.restored(decode(saved))
    assert saved == encode(RecordingSequence.state(restored))
    arguments = {"oldest": 900.0, "newest": 901.0, "newest_before": 501.0}
    for one, as_before in zip(restored, before, strict=True):
        assert as_before.decide("c", "epoch", **arguments) == one.decide("c", "epoch", **arguments)
