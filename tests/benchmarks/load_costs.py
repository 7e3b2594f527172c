"""What a load costs a consumer, as figures: latency, processor time, memory, stages."""

from typing import Final

from pipeline.commands.stream.settings import StreamSettings
from tests.benchmarks.arrivals import windows_per_s
from tests.benchmarks.figures import Figure, NotMeasuredError
from tests.benchmarks.flops import flops_per_window
from tests.benchmarks.load_consumers import TIMED, floor_consumer, least_consumer
from tests.benchmarks.load_search import Bench
from tests.benchmarks.load_trial import LATENCY_LIMIT_MS, Trial
from tests.benchmarks.stage_clock import REST
from tests.benchmarks.stage_times import NETWORK, STAGES, TIMERS, StageError, between

MEMORY_LIMIT_KIB: Final = 12.0
LEAST_LIMIT: Final = 2.0
TIMED_SHARE: Final = 0.8
"""Of the largest load: so much is left for the timers"""


def use_figures(bench: Bench, held: Trial) -> list[Figure]:
    """Return latency and processor time of har-stream under the largest load that it held."""
    p50, p95, p99 = (held.arrived.percentile_ms(percent) for percent in (50, 95, 99))
    cores, broker_cores, generator_cores, probe_cores, others_cores = (
        cpu_s / held.seconds
        for cpu_s in (
            held.consumer_cpu_s,
            held.broker_cpu_s,
            held.generator_cpu_s,
            held.probe_cpu_s,
            held.others_cpu_s,
        )
    )
    return [
        Figure(
            "load",
            f"{bench}: latency p99",
            p99,
            "ms",
            limit=LATENCY_LIMIT_MS,
            detail=f"p50 {p50:.0f}, p95 {p95:.0f}; {held.load.phones:,} phones; "
            f"all {held.arrived.n_expected:,} predictions came",
            parts={"p50": p50, "p95": p95, "p99": p99},
        ),
        Figure(
            "load",
            f"{bench}: CPU time a phone-hour",
            held.consumer_cpu_s / held.phone_hours,
            "s",
            detail=f"{cores:.2f} of a core; {held.message_us:.1f} µs a message",
            parts={"cores": cores, "message_us": held.message_us},
        ),
        Figure(
            "load",
            f"{bench}: the broker's",
            held.broker_cpu_s / held.phone_hours,
            "s",
            detail=f"{broker_cores:.2f} of a core; generator {generator_cores:.2f}, "
            f"probe {probe_cores:.2f}, others on the machine {others_cores:.2f}",
            parts={
                "cores": broker_cores,
                "generator": generator_cores,
                "probe": probe_cores,
                "others": others_cores,
            },
        ),
        Figure(
            "load",
            f"{bench}: bytes a phone and second",
            held.message_bytes * held.n_messages / held.seconds / held.load.phones,
            "bytes",
            detail=f"{held.message_bytes:,.0f} a message, MQTT's own among them",
            parts={"message": held.message_bytes},
        ),
    ]


def memory_figure(bench: Bench, held: Trial, few: Trial) -> Figure | None:
    """Return by how much memory grows with a phone; None if no more than few were held."""
    more = held.load.phones - few.load.phones
    if more <= 0:
        return None
    return Figure(
        "load",
        f"{bench}: memory a phone",
        (held.resident_mib - few.resident_mib) * 1024 / more,
        "KiB",
        limit=MEMORY_LIMIT_KIB,
        detail=f"{few.resident_mib:.0f} MiB with {few.load.phones} phones, "
        f"{held.resident_mib:.0f} with {held.load.phones:,}",
        parts={"all_mib": held.resident_mib},
    )


def timed_trial(bench: Bench, held: Trial) -> Trial:
    """Return a trial with timers around the stages, of somewhat fewer phones than were held.

    Raises:
        NotMeasuredError: it did not end in time.
    """
    timed = bench.trial(TIMED, bench.load(round(held.load.phones * TIMED_SHARE)))
    if timed.notes is None or len(timed.notes) != 2:
        raise NotMeasuredError("har-stream with timers did not end in time")
    return timed


def stage_figures(bench: Bench, timed: Trial) -> list[Figure]:
    """Return the processor time of each stage.

    Raises:
        NotMeasuredError: a stage was never entered.
    """
    try:
        seconds = between(*timed.notes)
    except StageError as error:
        raise NotMeasuredError(str(error)) from error
    total = sum(seconds.values()) - seconds[TIMERS]
    return [
        Figure(
            "load",
            f"{bench}: CPU time, {stage}",
            seconds[stage] / timed.phone_hours,
            "s",
            detail=f"a phone-hour; {seconds[stage] / timed.n_messages * 1e6:.1f} µs a message, "
            f"{seconds[stage] / total:.0%}",
            parts={"message_us": seconds[stage] / timed.n_messages * 1e6},
        )
        for stage in (NETWORK, *STAGES, REST)
    ]


def least_figure(bench: Bench, held: Trial, timed: Trial) -> Figure:
    """Hold the cost of a message against that of receiving it with paho, and of inference.

    Raises:
        NotMeasuredError: these did not end in time, or do not keep up.
    """
    batch = _batch(timed)
    load = bench.load(held.load.phones)
    least = bench.trial(least_consumer(load, batch=batch), load)
    if least.notes is None:
        raise NotMeasuredError("bare paho and onnxruntime did not end in time")
    if least.notes["windows"] < 0.9 * windows_per_s(load) * least.notes["seconds"]:
        raise NotMeasuredError("the bare onnxruntime does not keep up with the load")
    window_us = least.notes["inference_cpu_s"] / least.notes["windows"] * 1e6
    paho_us = least.message_us - window_us * least.windows_a_message
    return Figure(
        "load",
        f"{bench}: CPU time against the least",
        held.message_us / least.message_us,
        "times",
        limit=LEAST_LIMIT,
        detail=f"{held.message_us:.0f} µs a message; paho alone {paho_us:.0f}, onnxruntime alone "
        f"{window_us:.0f} a window, batch {batch}, in all {least.message_us:.0f}",
        parts={
            "message_us": held.message_us,
            "paho_us": paho_us,
            "window_us": window_us,
            "least_us": least.message_us,
        },
    )


def floor_figure(bench: Bench, held: Trial) -> Figure:
    """Hold the cost of a message against that of its bytes and of the model's operations.

    Raises:
        NotMeasuredError: the floor was not measured, or messages were lost.
    """
    load = bench.load(held.load.phones)
    floor = bench.trial(floor_consumer(load), load)
    if floor.notes is None:
        raise NotMeasuredError("the floor's consumer did not end in time")
    if floor.notes["messages"] < load.n_messages.sum():
        raise NotMeasuredError("the floor's consumer lost messages")
    try:
        flops = flops_per_window(bench.model)
    except ValueError as error:
        raise NotMeasuredError(f"{bench.model}: {error}") from error
    peak = floor.notes["peak_flops_per_s"]
    model_us = flops / peak * floor.windows_a_message * 1e6
    floor_us = floor.message_us + model_us
    return Figure(
        "load",
        f"{bench}: CPU time against the floor",
        held.message_us / floor_us,
        "times",
        detail=f"{held.message_us:.1f} µs a message; the floor {floor_us:.1f}: off the socket and "
        f"parsed {floor.message_us:.1f}, {flops / 1e6:.3g} MFLOP a window at "
        f"{peak / 1e9:.0f} GFLOP/s {model_us:.1f}",
        parts={
            "message_us": held.message_us,
            "floor_us": floor_us,
            "bytes_us": floor.message_us,
            "model_us": model_us,
        },
    )


def _batch(timed: Trial) -> int:
    """Return how many windows har-stream has classified in one call of the model, on average."""
    before, after = (int(note["calls"].get("infer", 0)) for note in timed.notes)
    windows = windows_per_s(timed.load) * timed.seconds
    most = int(StreamSettings.model_fields["batch_size"].default)
    return max(1, min(round(windows / max(after - before, 1)), most))
