from pipeline.commands.monitoring.families import Family
from pipeline.commands.stream.latencies import Latencies
from pipeline.mqtt.publisher import Progress


def counted(family: Family) -> tuple[float, float]:
    """Return how many values a histogram has, and their sum, in hundredths."""
    samples = {sample.name.rsplit("_", 1)[1]: sample.value for sample in family.samples}
    return samples["count"], round(samples["sum"], 2)


def test_until_the_last_result_of_a_tick_is_confirmed() -> None:
    """A prediction's latency ends when the broker has all that was published with it."""
    latencies = Latencies()
    latencies.predicted([10.0, 10.5], [], 0.0)
    latencies.published(4)
    latencies.predicted([11.0], [], 0.0)
    latencies.published(5)
    latencies.confirmed([Progress(3, 10.8)])
    assert (0, 0.0) == counted(latencies.to_confirmation.family("x", ""))
    latencies.confirmed([Progress(4, 11.0), Progress(7, 13.0)])
    assert (3, 1.0 + 0.5 + 2.0) == counted(latencies.to_confirmation.family("x", ""))


def test_ticks_without_predictions() -> None:
    """They have no latency."""
    latencies = Latencies()
    latencies.predicted([], [], 0.0)
    latencies.published(4)
    latencies.confirmed([Progress(4, 11.0)])
    assert (0, 0.0) == counted(latencies.to_confirmation.family("x", ""))


def test_the_age_of_samples() -> None:
    """It is the time from a window's end, and never negative, whatever the phone's clock says."""
    latencies = Latencies()
    latencies.predicted([1.0, 1.0], [1000.0, 1003.0], 1001.5)
    assert (2, 1.5) == counted(latencies.from_samples.family("x", ""))
