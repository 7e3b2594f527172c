import pytest

from pipeline.serving.losses import LOG_INTERVAL_S, Losses


def test_losses_are_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """Who lost most is named, now and then; names of senders cannot pass for lines of the log."""
    losses = Losses("messages")
    losses.add({"a\nb": 2, "c": 1}, 100.0)
    losses.add({"c": 5, **dict.fromkeys("defghij", 1)}, 101.0)
    losses.add({}, 100.0 + LOG_INTERVAL_S)
    losses.add({}, 200.0)
    assert 15 == losses.total
    first, second = (record.message for record in caplog.records)
    assert "dropped 3 messages: 'a\\nb' 2, 'c' 1" == first
    assert "dropped 12 messages: 'c' 5, 'd' 1, 'e' 1, 'f' 1, 'g' 1 and 3 more" == second
