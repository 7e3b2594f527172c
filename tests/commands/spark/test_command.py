import subprocess
import sys

from tests.processes import environment_with


def test_without_the_extra_it_is_named() -> None:
    """Where PySpark is not installed, the command says which extra to install."""
    code = (
        "import sys; sys.modules['pyspark'] = None;"
        "sys.argv = ['har-spark', '--kafka', 'kafka:9092', '--checkpoint-location', 'here'];"
        "from pipeline.commands.spark.command import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment_with({}), capture_output=True, text=True
    )
    assert (
        1,
        "har-spark: Spark needs pyspark: pip install 'har-stream[spark]'\n",
    ) == (ended.returncode, ended.stderr)
