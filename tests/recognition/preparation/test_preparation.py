from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.continuing_sources import ContinuingSources
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.preparation import Preparation, Prepared
from pipeline.recognition.prepared import Windows
from tests.recognition.made_up import EPOCH, HOP, in_messages, motion, readings, separate

SLOT = 0


def push(preparation: Preparation, *messages: Readings) -> Prepared:
    """Push the messages of one phone, all in one tick."""
    return preparation.push({SLOT: [Delivery([message]) for message in messages]})


def windows(*several: Prepared) -> Windows:
    """Return all windows that were prepared."""
    return Windows.joined([part.windows for prepared in several for part in prepared.parts])


def fresh(*messages: Readings) -> Windows:
    """Return the windows of a phone that has sent nothing before."""
    return windows(push(Preparation(1, hop=HOP), *messages))


def numbers(of: Windows) -> list[int]:
    """Return the numbers of the windows' first samples since `EPOCH`."""
    return [round((start - EPOCH) * 50) for start in of.starts.tolist()]


def assert_same(expected: Windows, actual: Windows) -> None:
    """Compare windows by every bit."""
    assert len(expected)
    assert expected.starts.tolist() == actual.starts.tolist()
    assert expected.settling.tolist() == actual.settling.tolist()
    assert expected.samples.tobytes() == actual.samples.tobytes()


def test_a_gap() -> None:
    """After a gap filters and windows begin anew, as for a phone never seen."""
    before, after = readings(motion(200, seed=5)), motion(200, seed=6)
    later = readings(after, start=EPOCH + 60.123)
    preparation = Preparation(1, hop=HOP)

    first, second = push(preparation, before), push(preparation, later)

    assert_same(fresh(before), windows(first))
    assert_same(fresh(later), windows(second))
    assert [[]] == [part.interrupted for part in first.parts]
    assert [[SLOT]] == [part.interrupted for part in second.parts]
    assert 1 == preparation.counts["gaps"]


def test_a_gap_within_a_tick() -> None:
    """What a phone sends from gap to gap makes parts of their own."""
    before, after = readings(motion(200, seed=5)), readings(motion(200, seed=6), start=EPOCH + 60)

    first, second = push(Preparation(1, hop=HOP), before, after).parts

    assert_same(fresh(before), first.windows)
    assert_same(fresh(after), second.windows)
    assert ([], [SLOT]) == (first.interrupted, second.interrupted)


def test_repeated_samples_are_counted() -> None:
    """Repeated samples make no windows, and the counts tell."""
    preparation = Preparation(1, hop=HOP)
    message = readings(motion(150, seed=7))

    first, second = push(preparation, message), push(preparation, message)

    assert 1 == len(windows(first))
    assert {} == first.dropped
    assert 0 == len(windows(second))
    assert {SLOT: Dropped(repeated=150)} == second.dropped
    assert 150 == preparation.counts["samples"]


def test_a_new_recording_begins_anew() -> None:
    """With a new recording the clock may go back; what comes late of the one before is dropped."""
    first, second = motion(300, seed=8), motion(300, seed=9)
    earlier = EPOCH - 86_400
    preparation = Preparation(1, hop=HOP)
    push(preparation, readings(first[:200], recording="a"))

    begun = push(preparation, readings(second[:150], start=earlier, recording="b"))
    late = push(preparation, readings(first[200:], first=200, recording="a"))
    onward = push(preparation, readings(second[150:], start=earlier, first=150, recording="b"))

    assert 0 == len(windows(late))
    assert {SLOT: Dropped(late=100)} == late.dropped
    assert_same(fresh(readings(second, start=earlier)), windows(begun, onward))
    assert [[SLOT], []] == [part.new_recordings for part in (*begun.parts, *onward.parts)]


def test_a_new_recording_within_a_tick() -> None:
    """What a recording completes counts, though the next one begins in the same tick."""
    rows = np.random.default_rng(0).normal(size=(300, 9))
    preparation = Preparation(1, hop=64)

    first = push(preparation, readings(rows[:100], recording="first"))
    second = push(
        preparation,
        readings(rows[100:150], first=100, recording="first"),
        readings(rows[150:], first=150, start=EPOCH + 60, recording="second"),
    )

    assert [0, 63 * 50] == numbers(windows(first, second))


def test_from_a_recording_back_to_none() -> None:
    """A phone that goes on without a name after a named recording is heard."""
    preparation = Preparation(1, hop=HOP)
    push(preparation, readings(motion(200, seed=1)))
    push(preparation, readings(motion(200, seed=2), start=EPOCH - 60, recording="replay"))

    repeated = push(preparation, readings(motion(200, seed=1)))
    onward = push(preparation, readings(motion(200, seed=3), start=EPOCH + 5))

    assert 0 == len(windows(repeated))
    assert 3 == len(windows(onward))


def test_from_raw_to_prepared() -> None:
    """A phone that goes over from raw to prepared samples begins anew."""
    preparation = Preparation(1, hop=HOP)
    push(preparation, readings(motion(100, seed=10)))
    prepared = readings(motion(200, seed=11, width=9), first=100)

    assert_same(fresh(prepared), windows(push(preparation, prepared)))


@pytest.mark.parametrize("widths", [(9, 6), (6, 9)])
def test_another_form_once_is_no_doubt(widths: tuple[int, int]) -> None:
    """However long the messages, one change of form is no sign of two phones."""
    first, second = (
        readings(motion(500, seed=10, width=width), first=first)
        for width, first in zip(widths, (0, 500), strict=True)
    )
    expected = windows(push(Preparation(1, hop=HOP), first, second))
    for size in (1, 10, 125, 250):
        messages = [*in_messages(first, size=size), *in_messages(second, size=size)]
        actual = windows(push(Preparation(1, hop=HOP), *messages))
        assert_same(expected, actual)
        assert not actual.doubtful.any()


def test_a_placed_phone() -> None:
    """A phone worn otherwise gives what the same motion gives in the training frame."""
    rows = motion(300, seed=4)
    portrait = rows[:, [1, 0, 2, 4, 3, 5]] * [-1, 1, 1, -1, 1, 1]  # x = -y', y = x'
    portrait[:, :3] *= -1  # an iPhone
    preparation = Preparation(1, hop=HOP)
    assert preparation.place(SLOT, -1.0, FRAMES["portrait"])

    placed = windows(push(preparation, readings(portrait)))

    expected = fresh(readings(rows))
    assert expected.starts.tolist() == placed.starts.tolist()
    np.testing.assert_allclose(placed.samples, expected.samples, rtol=0, atol=1e-6)


def test_a_new_placement_begins_anew() -> None:
    """A calibration lets the signals begin anew; the same one again is no change."""
    preparation = Preparation(1, hop=HOP)
    push(preparation, readings(motion(300, seed=5)))

    first_has_changed = preparation.place(SLOT, 1.0, FRAMES["portrait"])
    onward = push(preparation, readings(motion(150, seed=6), first=300))
    second_has_changed = preparation.place(SLOT, 1.0, FRAMES["portrait"])
    further = push(preparation, readings(motion(150, seed=7), first=450))

    assert (True, False) == (first_has_changed, second_has_changed)
    assert [300] == numbers(windows(onward))
    assert [332, 364, 396, 428, 460][: len(windows(further))] == numbers(windows(further))


@pytest.mark.parametrize("size", [7, 25, 300])
@pytest.mark.parametrize("is_separate", [False, True])
def test_a_new_placement_forgets_no_sample(size: int, is_separate: bool) -> None:
    """What came before it stays repeated or late: only newer samples make windows."""
    rows = motion(600, seed=5)
    whole = separate(rows) if is_separate else [readings(rows)]
    messages = [
        list(parts) for parts in zip(*(in_messages(one, size=size) for one in whole), strict=True)
    ]
    before = [message for message in messages if message[0].times[0] < EPOCH + 6]
    after = messages[len(before) :]
    preparation = Preparation(1, hop=HOP)
    for message in before:
        preparation.push({SLOT: [Delivery(message)]})
    n_taken = preparation.counts["samples"]

    preparation.place(SLOT, 1.0, FRAMES["portrait"])
    again = preparation.push({SLOT: [Delivery(message) for message in before]})
    onward = windows(*(preparation.push({SLOT: [Delivery(message)]}) for message in after))

    assert (0, n_taken) == (
        len(windows(again)),
        preparation.counts["samples"] - sum(len(one.times) for message in after for one in message),
    )
    assert n_taken == again.dropped[SLOT].repeated + again.dropped[SLOT].late
    fresh_ones = Preparation(1, hop=HOP)
    fresh_ones.place(SLOT, 1.0, FRAMES["portrait"])
    expected = [fresh_ones.push({SLOT: [Delivery(message)]}) for message in after]
    assert_same(windows(*expected), onward)


def test_a_new_placement_while_a_message_is_awaited() -> None:
    """A message that was overtaken before the change stays late behind it."""
    parts = in_messages(readings(motion(400, seed=5)), size=10)
    preparation = Preparation(1, hop=HOP)
    push(preparation, *parts[:20], parts[21])

    preparation.place(SLOT, 1.0, FRAMES["portrait"])
    onward = push(preparation, parts[20], *parts[22:])

    assert {SLOT: Dropped(late=10)} == onward.dropped
    assert [220, 252] == numbers(windows(onward))


def test_which_messages_go_on() -> None:
    """Newer ones and new recordings; none that is repeated, late, or of a recording before."""
    parts = in_messages(readings(motion(400, seed=5), recording="a"), size=50)
    later = in_messages(readings(motion(400, seed=5), start=EPOCH - 3600, recording="b"), size=50)
    intake = (preparation := Preparation(1, hop=HOP)).intake

    def has_newer(message: Readings) -> bool:
        return intake.has_newer(SLOT, Delivery([message]))

    assert has_newer(parts[0])
    push(preparation, parts[0], parts[1], parts[3])  # the last waits for that before
    assert [False, False, False, False, True] == [has_newer(part) for part in parts[:5]]
    assert has_newer(later[0])
    push(preparation, parts[2], later[0])
    assert [False, True] == [has_newer(part) for part in later[:2]]
    assert [False, False, False, False, False] == [has_newer(part) for part in parts[:5]]


def test_messages_go_on_after_the_clock_was_set_back() -> None:
    """As soon as that is recognised."""
    fast = readings(motion(200, seed=5), start=EPOCH + 3600)
    right = in_messages(readings(motion(300, seed=6)), size=25)
    preparation = Preparation(1, hop=HOP)
    push(preparation, fast)
    found = []
    for message in right:
        found.append(preparation.intake.has_newer(SLOT, Delivery([message])))
        push(preparation, message)
    assert sorted(found) == found
    assert [False, True] == [found[3], found[6]]


@pytest.mark.parametrize("n_together", [1, 2])
def test_a_long_recording_before_short_ones(n_together: int) -> None:
    """It is not taken for a short one, however many of its messages come in the first tick."""
    long = in_messages(readings(motion(400, seed=5)), size=25)
    short = [
        readings(motion(25, seed=6), start=EPOCH + 8, first=25 * number, recording=name)
        for number, name in enumerate("abcd")
    ]
    preparation = Preparation(1, hop=HOP)
    push(preparation, *long[:n_together])
    for message in [*long[n_together:], *short]:
        push(preparation, message)
    assert () == preparation.intake.troubles(SLOT)


def test_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the work on a phone's message fails it begins anew, worn as before; others go on."""
    rows = motion(400, seed=1)
    parts = [readings(rows[k : k + 100], first=k) for k in range(0, 400, 100)]
    # Dated since the boot, lest they are worked through together with others.
    of_boot = [msgspec.structs.replace(part, clock="boot") for part in parts]
    preparation, anew = Preparation(2, hop=HOP), Preparation(1, hop=HOP)
    for one in (preparation, anew):
        one.place(SLOT, -1.0, np.eye(3))
    error = ZeroDivisionError()

    def fail(_: Sequence[object]) -> None:
        raise error

    made = []
    for number, (own, part) in enumerate(zip(of_boot, parts, strict=True)):
        with monkeypatch.context() as patch:
            if number == 1:
                patch.setattr("pipeline.recognition.preparation.intake.joined_pieces", fail)
            made.append(preparation.push({SLOT: [Delivery([own])]}))
        made.append(preparation.push({1: [Delivery([part])]}))

    assert [(SLOT, error)] == [failure for one in made for failure in one.failures]
    expected = [anew.push({SLOT: [Delivery([own])]}) for own in of_boot[2:]]
    onward = windows(*made[4:])
    assert_same(windows(*expected), onward.chosen(onward.slots == SLOT))
    others = windows(*made)
    assert_same(fresh(*parts), others.chosen(others.slots == 1))


def test_a_mistake_of_ours_with_several_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and costs nobody anything: their messages are processed one by one."""
    rows = motion(600, seed=1)

    def message(slot: int, k: int) -> list[Delivery]:
        """Return a phone's samples: at 50 Hz sharp, uneven, or of sensors that are apart."""
        part = readings(rows[k : k + 25], first=k)
        times = part.times + 0.004 * np.sin(np.arange(k, k + 25)) * min(slot, 1)
        if slot < 2:
            return [Delivery([msgspec.structs.replace(part, times=times)])]
        acc = Readings("phone", times, part.values[:, :3], "accelerometer")
        return [Delivery([acc, Readings("phone", times + 0.003, part.values[:, 3:], "gyroscope")])]

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    disturbed, undisturbed = Preparation(3, hop=HOP), Preparation(3, hop=HOP)
    made, expected, n_faults = [], [], 0
    for k in range(0, 600, 25):
        tick = {slot: message(slot, k) for slot in range(3)}
        expected.append(undisturbed.push(tick))
        with monkeypatch.context() as patch:
            if k == 300:
                patch.setattr(ContinuingSources, "measured", fail)
            made.append(disturbed.push(tick))
        n_faults += len(made[-1].faults)
    assert n_faults == 3  # in each kind of arrays
    assert not [failure for one in made for failure in one.failures]
    assert_same(windows(*expected), windows(*made))


def sent(
    preparation: Preparation, rows: int, *, first_s: float, seed: int, received: float
) -> list[float]:
    """Return when windows start of a phone whose clock shows ``first_s`` at its first sample."""
    found: list[float] = []
    for k in range(0, rows, 25):
        part = readings(motion(rows, seed=seed)[k : k + 25], start=first_s, first=k)
        part = msgspec.structs.replace(part, clock="boot")
        arrival = received + float(part.times[-1]) - first_s
        found += windows(preparation.push({SLOT: [Delivery([part], arrival)]})).starts.tolist()
    return found


def test_a_clock_since_boot() -> None:
    """Times since boot become epoch times by when the first message came, until the next boot."""
    preparation = Preparation(1, hop=HOP)

    first = sent(preparation, 300, first_s=5000.0, seed=1, received=EPOCH)
    after_a_pause = sent(
        preparation, 300, first_s=5100.0, seed=2, received=EPOCH + 103
    )  # delivered 3 s late
    after_a_boot = sent(preparation, 300, first_s=20.0, seed=3, received=EPOCH + 500)

    assert EPOCH == pytest.approx(first[0], abs=1e-6)
    assert EPOCH + 100 == pytest.approx(after_a_pause[0], abs=1e-6)
    assert EPOCH + 500 == pytest.approx(after_a_boot[0], abs=0.5)


def test_a_clock_since_boot_that_was_misread() -> None:
    """If the first message came late, windows are dated right after some seconds, none is lost."""
    preparation = Preparation(1, hop=HOP)
    found = []
    for k in range(0, 1500, 25):
        part = readings(motion(1500, seed=1)[k : k + 25], start=5000.0, first=k)
        received = EPOCH + float(part.times[-1]) - 5000.0 + (30.0 if k == 0 else 0.2)
        part = msgspec.structs.replace(part, clock="boot")
        found.append(preparation.push({SLOT: [Delivery([part], received)]}))

    starts = windows(*found).starts.tolist()
    offsets_s = [start - EPOCH - number * HOP / 50 for number, start in enumerate(starts)]
    assert (1500 - 128) // HOP + 1 == len(starts)
    assert 30.0 == pytest.approx(offsets_s[0], abs=0.01)
    assert 0.2 == pytest.approx(offsets_s[-1], abs=0.01)
    assert 0.2 == pytest.approx(offsets_s[round(15 * 50 / HOP)], abs=0.01)
    assert [SLOT] == [slot for one in found for part in one.parts for slot in part.interrupted]
