import msgspec
import numpy as np

from pipeline.models.gait import shipped_gait
from pipeline.readings import Delivery
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.preparation import Preparation
from pipeline.recognition.prepared import Windows
from pipeline.recognition.wearer.frame import UPRIGHT_KNOWN
from tests.recognition.made_up import HOP, in_messages, motion, readings
from tests.recognition.wearer.walks import rows_of


def test_windows_of_a_recording() -> None:
    """A recorded phone's windows are those of a live one, bit for bit, in any placement."""
    messages = in_messages(readings(motion(500, seed=1)))
    live = Preparation(1, hop=HOP)
    live.place(0, 1.0, FRAMES["portrait"])
    phone = RecordedPhone(hop=HOP, rotation=FRAMES["portrait"])

    actual = Windows.joined([phone.push([message]) for message in messages])

    prepared = [live.push({0: [Delivery([message])]}) for message in messages]
    expected = Windows.joined([part.windows for one in prepared for part in one.parts])
    assert expected.starts.tolist() == actual.starts.tolist()
    assert expected.settling.tolist() == actual.settling.tolist()
    assert expected.samples.tobytes() == actual.samples.tobytes()


def test_times_of_the_phones_clock() -> None:
    """Windows start on the phone's own clock, whichever that is."""
    since_boot = readings(motion(500, seed=1), start=77.0)
    since_boot = msgspec.structs.replace(since_boot, clock="boot")

    windows = RecordedPhone(hop=HOP).push([since_boot])

    np.testing.assert_allclose(windows.starts, 77 + np.arange(len(windows)) * HOP / 50)


def test_the_last_samples() -> None:
    """What waits for samples that will not come is there when the recording ends."""
    rows = motion(140, seed=1)
    phone = RecordedPhone(hop=1)
    before_a_hole = phone.push([readings(rows[:134])])
    behind_it = phone.push([readings(rows[135:], first=135)])

    last = phone.finish()

    assert 134 - 1 - 128 + 1 == len(before_a_hole)
    assert 0 == len(behind_it)
    assert 6 == len(last)


def test_another_recording_begins_when_one_has_finished() -> None:
    """Clock and signals begin anew, whatever its times; what is known of the wearer is kept."""
    walk, rest = rows_of("WALKING", seconds=10), rows_of("STANDING", seconds=10)
    phone = RecordedPhone(hop=HOP, gait=shipped_gait())
    phone.push([readings(walk, start=900.0)])
    phone.finish()

    actual = phone.push([readings(rest, start=0.0)])

    alone = RecordedPhone(hop=HOP, gait=shipped_gait()).push([readings(rest, start=0.0)])
    assert alone.starts.tolist() == actual.starts.tolist()
    assert alone.settling.tolist() == actual.settling.tolist()
    assert alone.samples.tobytes() == actual.samples.tobytes()
    assert not alone.wearer_frames.any()
    assert actual.wearer_frames[:, UPRIGHT_KNOWN].all()
