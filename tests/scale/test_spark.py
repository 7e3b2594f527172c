from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="needs the extra spark: make test-scale")

from tests.scale.spark import Spark

pytestmark = pytest.mark.scale


def test_a_killed_worker_is_missed_and_let_in_again(tmp_path: Path) -> None:
    """The master knows its workers; it loses one that is killed, and gets it back."""
    spark = Spark(tmp_path)
    try:
        spark.start()
        spark.workers[0].kill()
        spark.await_workers(1)
        spark.workers[0].start()
        spark.await_workers(2)
        assert [] == spark.workers[0].executors
    finally:
        spark.stop()
