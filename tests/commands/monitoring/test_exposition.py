import pytest

from pipeline.commands.monitoring import exposition
from pipeline.commands.monitoring.exposition import Exposition
from pipeline.commands.monitoring.families import gauge


def test_what_was_published_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text holds the last families, and what the system says of the process."""
    monkeypatch.setattr(exposition, "KEPT_S", 0.0)
    shown = Exposition()
    for value in (1, 2):
        shown.publish([gauge("har_phones", "Phones", value)])
    text = shown.text().decode()
    assert "har_phones 2.0\n" in text
    for name in ("process_cpu_seconds_total", "process_start_time_seconds", "python_info"):
        assert f"\n{name}" in text


def test_many_that_ask_cost_one_text() -> None:
    """Within a second everybody gets the same text, not one of his own."""
    shown = Exposition()
    shown.publish([gauge("har_phones", "Phones", 1)])
    assert shown.text() is shown.text()
