from collections.abc import Callable

import pytest

from pipeline.commands.bridge.settings import BridgeSettings

NEEDED = {"broker": "localhost", "kafka": "localhost:9092"}


@pytest.mark.usefixtures("own_settings")
def test_several_brokers() -> None:
    """They are separated by commas; MQTT is of version 5, and both ways are gone."""
    settings = BridgeSettings.model_validate(NEEDED | {"kafka": "a:9092, [::1]:9093"})
    assert ["a:9092", "[::1]:9093"] == settings.kafka
    assert "5" == settings.protocol
    assert settings.takes_samples
    assert settings.takes_results


@pytest.mark.usefixtures("own_settings")
@pytest.mark.parametrize(("only", "ways"), [("samples", (True, False)), ("results", (False, True))])
def test_one_way(only: str, ways: tuple[bool, bool]) -> None:
    """``--only`` leaves out the other."""
    settings = BridgeSettings.model_validate(NEEDED | {"only": only})
    assert ways == (settings.takes_samples, settings.takes_results)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--kafka", "localhost"], "is to be HOST:PORT, such as localhost:9092, not 'localhost'"),
        (["--kafka", "a:1,b"], "is to be HOST:PORT, such as localhost:9092, not 'b'"),
        (["--kafka", ","], "is to be HOST:PORT, such as localhost:9092"),
        (["--samples-topic", "a b"], "is to be letters, digits"),
        (["--results-topic", ".."], "is to be letters, digits"),
        (["--group", ""], "is to be letters, digits"),
        (["--partitions", "0"], "greater than 0"),
        (["--protocol", "3.1.1"], "protocol = '3.1.1': har-bridge needs 5"),
        (["--only", "both"], "only = 'both': Input should be 'samples' or 'results'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit(
    refused_settings: Callable[..., str], flags: list[str], said: str
) -> None:
    """Each is told with what it is to be."""
    needed = ["--broker", "localhost"]
    if "--kafka" not in flags:
        needed += ["--kafka", "localhost:9092"]
    assert said in refused_settings(BridgeSettings, "har-bridge", *needed, *flags)
