import numpy as np
import pytest

from tests.benchmarks import load_plan


def test_there_are_always_equally_many_phones_and_each_stays_equally_long() -> None:
    """One comes whenever one goes, under a name of its own, until the end."""
    relay = load_plan.Relay(25, 1, 59.0, 1.0, speed=20.0, at_once=10)
    plan = load_plan.schedule(relay)
    assert 60.0 / 16 == relay.turn_s
    for since_s in np.arange(1.1012, 60.0, 0.5):  # never when they change
        now = (plan.due_s >= since_s - 0.025) & (plan.due_s < since_s)
        there = np.unique(plan.phone[now])
        gone = int(since_s / relay.turn_s)
        assert there.tolist() == list(range(gone, gone + 10)), since_s
    stays_s = relay.n_messages * relay.interval_s
    assert pytest.approx(10 * relay.turn_s, abs=2 * relay.interval_s) == stays_s[10:15]
    assert 25 == len(np.unique(plan.phone))


def test_flood_is_silent_and_on_by_turns_and_its_samples_run_on() -> None:
    """A hundred messages to one of another phone's, and none missing over a silence."""
    load = load_plan.Bursts(1, 0, 9.5, 0.5, speed=2000.0, first=19_999, burst_s=2.0)
    plan = load_plan.schedule(load)
    assert plan.number.tolist() == list(range(len(plan.number)))
    assert (np.floor(plan.due_s / 2.0) % 2 == 1).all()
    per_second = np.bincount(plan.due_s.astype(np.int64), minlength=10)
    assert [0, 0, 4000, 4000, 0, 0, 4000, 4000, 0, 0] == per_second.tolist()


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0, 2000.0])
def test_no_sample_is_ahead_of_the_clock_at_any_speed(speed: float) -> None:
    """At the latest it is of the moment at which its message is due; so is the last one's."""
    load = load_plan.Relay(7, 1, 19.0, 1.0, speed=speed, at_once=3)
    plan = load_plan.schedule(load)
    last_ms = load_plan.first_samples_ms(load, 1.7e9)[plan.phone] + plan.number * 500 + 480
    ahead_s = last_ms / 1000 - (1.7e9 + plan.due_s)
    latest_s = -load.interval_s * max(speed - 1, 0.0)
    assert pytest.approx(latest_s, abs=0.6) == ahead_s.max()
    assert ahead_s.max() < 0.01


def test_messages_are_spread_evenly_and_their_number_fits_the_time() -> None:
    """Every message is within the duration, and the next would not be; no two at one moment."""
    load = load_plan.Load(phones=70, qos=0, hold_s=3.0, ramp_s=2.5)
    plan = load_plan.schedule(load)
    assert len(plan.due_s) == load.n_messages.sum()
    assert plan.due_s.max() < load.duration_s
    assert (load.joins_s + load.n_messages * 0.5 >= load.duration_s - 1e-9).all()
    in_hold = plan.due_s[plan.due_s >= load.ramp_s]
    assert pytest.approx(0.5 / 70) == np.diff(in_hold)
