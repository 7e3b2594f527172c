import pytest

pytest.importorskip("pyspark", reason="needs the extra spark")

from pyspark.errors import StreamingQueryException

from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.running import raise_if_mendable

ENDED = "[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: "


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("[CANNOT_LOAD_STATE_STORE.UNCATEGORIZED] An error occurred", "put all of it back"),
        ("[STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY] Cannot", "put all of it back"),
        ("Unexpected end-of-input in field name", "put all of it back"),
        ("batch 16 doesn't exist", "let only one run"),
        ("[CONCURRENT_STREAM_LOG_UPDATE] Concurrent update to the log.", "let only one run"),
        ("org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This", "was deleted"),
        ("org.apache.kafka.common.errors.RecordTooLargeException: The", "max.message.bytes"),
        ("Some data may have been lost because they are not available", "begin anew"),
        ("StateError: it has hop 32, not 64", "it has hop 32, not 64; begin anew"),
        ("org.apache.kafka.common.errors.TimeoutException: Timed out", "start har-spark again"),
    ],
)
def test_what_the_operator_can_mend(reason: str, advice: str) -> None:
    """It is told in a sentence that says what to do."""
    with pytest.raises(SparkJobError, match=advice):
        raise_if_mendable(StreamingQueryException(f"{ENDED}{reason}"))


def test_what_nobody_can_mend() -> None:
    """An error of ours is left as it is."""
    raise_if_mendable(StreamingQueryException(f"{ENDED}KeyError: 'phone'"))
