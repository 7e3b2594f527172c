import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.benchmarks import arrivals, load_plan, soak, soak_outcome, soak_plan, soak_run
from tests.benchmarks.figures import NotMeasuredError, show
from tests.benchmarks.load_plan import Load
from tests.benchmarks.soak_outcome import Sample


@pytest.mark.parametrize("minutes", [0.2, 2.0, 6.0, 7.3, 30.0, 60.0])
def test_each_part_of_a_soak_has_as_much_of_the_flood(minutes: float) -> None:
    """So that the memory of one can be held against another's; nothing is with and without."""
    plan = soak_plan.Soak(minutes * 60, 30)
    assert plan.burst_s <= soak_plan.LONGEST_BURST_S
    since_s = np.linspace(0, plan.seconds, 60_000, endpoint=False)
    flooded, calm = plan.flooded(since_s), plan.calm(since_s)
    assert not (flooded & calm).any()
    parts = flooded.reshape(soak_plan.N_PARTS, -1).mean(axis=1)
    assert pytest.approx([0.0] + [0.5] * 5, abs=0.01) == parts
    n_messages = int(plan.flood.n_messages[0])
    due_s = plan.flood.due_s(np.array(0), np.arange(0, n_messages, 17))
    assert plan.flooded(due_s[due_s >= plan.part_s] + 1e-6).all()
    assert pytest.approx(plan.seconds / 2 * 4000, abs=1) == n_messages
    assert pytest.approx(soak_plan.TURN_S, rel=0.2) == plan.relay.turn_s
    assert plan.max_devices < plan.relay.phones or minutes < 7


def _samples(mib: NDArray[np.float64]) -> list[Sample]:
    others = dict.fromkeys(
        ("broker_mib", "checkpoint_kib", "cpu_s", "all_cpu_s", "machine_cpu_s"), 0.0
    )
    return [
        soak_outcome.Sample(since_s=float(i), resident_mib=float(value), **others)
        for i, value in enumerate(mib)
    ]


def test_growth_is_that_of_the_last_part_over_the_second() -> None:
    """What is taken while warming up is no growth; a leak shows in percent and by the hour."""
    plan = soak_plan.Soak(600.0, 30)
    since_s = np.arange(600)
    flat = np.where(since_s < 90, since_s + 10.0, 100.0)
    assert pytest.approx((100, 100, 0)) == soak_outcome.growth(plan, _samples(flat), "resident_mib")
    leak = flat + since_s / 60
    before, after, slope = soak_outcome.growth(plan, _samples(leak), "resident_mib")
    assert pytest.approx(400 / 60) == after - before
    assert pytest.approx(60.0) == slope


def test_memory_that_was_not_looked_at_is_not_called_flat() -> None:
    """Without a sample in a part there is no figure."""
    plan = soak_plan.Soak(600.0, 30)
    with pytest.raises(NotMeasuredError, match="too short"):
        soak_outcome.growth(plan, _samples(np.full(450, 100.0)), "resident_mib")


def test_topics_are_found_in_the_log() -> None:
    """Only in lines that tell of dropped messages, however they are put."""
    log = (
        "2026-01-01 WARNING rejected a message on 'har/a/samples' (json, 1 so far): no JSON\n"
        "2026-01-01 WARNING dropped 1200 messages, too many wait: 'har/b/samples' 1200\n"
        "2026-01-01 WARNING dropped 3 messages: har/b/samples 2, har/c/samples 1\n"
        "2026-01-01 WARNING dropped samples that came again: har/d/samples 1\n"
    )
    assert {"har/b/samples", "har/c/samples"} == soak_outcome.dropped_topics(log)
    assert frozenset() == soak_outcome.dropped_topics("")


def _served(
    relay: Load, latency_s: NDArray[np.float64]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return what generator and probe would report; latencies are by window, phone by phone."""
    plan = load_plan.schedule(relay)
    first_ms = load_plan.first_samples_ms(relay, 1.7e9)
    sent = {
        "phone": plan.phone,
        "number": plan.number,
        "due": plan.due_s + 1000.0,
        "sent": plan.due_s + 1000.01,
        "first_samples_ms": first_ms,
    }
    counts = arrivals.n_windows(relay.n_messages)
    phone = np.repeat(np.arange(relay.phones), counts)
    window = np.concatenate([np.arange(count) for count in counts])
    completing_s = relay.due_s(phone, arrivals.completing_message(window))
    came = {
        "device": np.array([load_plan.device(number) for number in phone.tolist()]),
        "start": np.round(first_ms[phone] / 1000 + window * arrivals.HOP / 50, 6),
        "received": completing_s + 1000.01 + latency_s[: len(phone)],
    }
    return sent, came


def test_latency_is_told_apart_by_when_the_window_was_completed() -> None:
    """What is slow only during the flood is seen there, and nowhere else."""
    plan = soak_plan.Soak(60.0, 5)
    relay = plan.relay
    n = int(arrivals.n_windows(relay.n_messages).sum())
    sent, came = _served(relay, np.zeros(n))
    flooded = plan.flooded(came["received"] - 1000.0)
    came["received"] += np.where(flooded, 0.05, 0.02)
    arrived = arrivals.arrivals(relay, sent, came)
    outcome = soak_outcome.Outcome(
        plan,
        arrived,
        soak_outcome.completed_at(relay, sent),
        late_ms=0.0,
        samples=[],
        loads=[],
        n_flood_windows=0,
        dropped_topics=frozenset(),
    )
    assert (arrived.n_expected, arrived.n_lost, arrived.n_strange) == (n, 0, 0)
    assert len(outcome.completed_s) == len(arrived.latencies_ms)
    assert pytest.approx([50, 50]) == outcome.percentiles_ms(flooded=True, percents=[0, 99])
    assert pytest.approx([20, 20]) == outcome.percentiles_ms(flooded=False, percents=[0, 99])
    one_burst = (outcome.completed_s >= 25) & (outcome.completed_s < 30)
    arrived.latencies_ms[one_burst] = 500.0
    assert pytest.approx([500]) == outcome.percentiles_ms(flooded=True, percents=[99])
    assert pytest.approx(50) == outcome.usual_p99_ms(flooded=True)
    assert pytest.approx(20) == outcome.usual_p99_ms(flooded=False)


@pytest.fixture(scope="module")
def short(motion_file: Path) -> Iterator[soak_outcome.Outcome]:
    """What a soak of seconds came to, with the whole program."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        begin = time.monotonic()
        try:
            outcome = soak_run.run(soak_plan.Soak(12.0, 6, max_waiting=1000), motion_file)
        except NotMeasuredError as error:
            if "Mosquitto is not installed" in str(error):
                pytest.skip(str(error))
            raise
        assert time.monotonic() - begin < 120
        yield outcome


@pytest.mark.broker
def test_short_soak_loses_nothing_of_those_who_do_not_flood(short: soak_outcome.Outcome) -> None:
    """All others' predictions come."""
    arrived = short.arrived
    n_due = arrivals.n_windows(short.soak.relay.n_messages).sum()
    assert arrived.n_expected == n_due > 1000
    assert (0, 0) == (arrived.n_lost, arrived.n_strange)
    assert np.isfinite(arrived.latencies_ms).all()


@pytest.mark.broker
def test_short_soak_drops_what_floods(short: soak_outcome.Outcome) -> None:
    """Of the flood much is dropped, which is counted and logged; the rest is predicted."""
    assert short.loads[-1]["dropped"] > 0
    assert {soak_plan.FLOODER_TOPIC} == short.dropped_topics
    assert short.n_flood_windows > 0


@pytest.mark.broker
def test_short_soak_looks_at_memory_and_checkpoint(short: soak_outcome.Outcome) -> None:
    """Both have sizes."""
    assert min(sample.resident_mib for sample in short.samples) > 1
    assert short.samples[-1].checkpoint_kib > 1


@pytest.mark.broker
def test_short_soak_has_figures(
    short: soak_outcome.Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a number in a line; those of lost and of dropped messages meet their limits."""
    figures = soak.figures(short)
    show(figures)
    assert len(figures) == len(capsys.readouterr().out.splitlines())
    [came] = [figure for figure in figures if figure.name.startswith("predictions of those")]
    [dropped] = [figure for figure in figures if figure.name.startswith("messages of the flooder")]
    assert came.met
    assert dropped.met
    assert "named in the log" in dropped.detail
    assert not any(math.isnan(figure.value) for figure in figures)
