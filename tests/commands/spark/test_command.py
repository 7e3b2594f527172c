import subprocess
import sys

from tests.processes import environment_with


def test_without_the_extra_it_is_named() -> None:
    """Where Spark's extra is not installed, the command says what is missing and how to get it."""
    code = (
        "import sys; sys.modules.update(py4j=None, pyspark=None);"
        "sys.argv = ['har-spark', '--kafka', 'kafka:9092', '--checkpoint-location', 'here'];"
        "from pipeline.commands.spark.command import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment_with({}), capture_output=True, text=True
    )
    assert (
        1,
        "har-spark: Spark needs py4j: pip install 'har-stream[spark]'\n",
    ) == (ended.returncode, ended.stderr)
