import pytest

from tests.benchmarks import load_reach
from tests.benchmarks.invented_trials import invented_trial
from tests.benchmarks.load_plan import Load
from tests.benchmarks.load_reach import Reached


def test_each_goal_is_held_against_what_was_reached() -> None:
    """A line a goal, with what was measured beside it; what has no goal has no limit."""
    cases = {(1, "json"): 9000, (1, "compact"): 11_000, (0, "json"): 10_500}
    reached = {
        (qos, form): Reached(
            invented_trial(Load(phones, qos, 60.0, 5.0, form=form)),
            memory_kib=11.0,
            least_us=32.0,
            floor_us=16.0,
        )
        for (qos, form), phones in cases.items()
    }
    plain = invented_trial(Load(2000, 1, 60.0, 5.0), consumer_cpu_s=2000 * 60.0 / 3000)
    figures = {
        figure.name.removeprefix("reach, "): figure
        for figure in load_reach.reach_figures(reached, {("plain consumer", 1): plain})
    }
    assert {
        "phones, QoS 1, JSON": True,
        "phones, QoS 1, compact": False,
        "phones, QoS 0, JSON": True,
        "CPU a message, QoS 1, JSON": True,
        "CPU a message, QoS 1, compact": False,
        "CPU a message, QoS 0, JSON": None,
        "against plain consumer, QoS 1, JSON": False,
        "against plain consumer, QoS 1, compact": False,
        "against the least, QoS 1, JSON": False,
        "against the least, QoS 1, compact": None,
        "against the least, QoS 0, JSON": True,
        "against the floor, QoS 1, JSON": None,
        "against the floor, QoS 1, compact": None,
        "against the floor, QoS 0, JSON": None,
        "memory a phone, QoS 1, JSON": True,
        "memory a phone, QoS 1, compact": True,
        "memory a phone, QoS 0, JSON": True,
    } == {name: figure.met for name, figure in figures.items()}
    against = figures["against plain consumer, QoS 1, JSON"]
    assert pytest.approx(12_500 / 3000) == against.value  # a phone's 2 messages of 40 µs a second
    assert "held 60 s, p99 30 ms, nothing lost" == figures["phones, QoS 1, JSON"].detail
