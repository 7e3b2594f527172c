"""The command har-spark: starts the job on Spark, watches it, and ends it at a signal."""

import sys

from pipeline.commands import log
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.serving import LOG_TEXT
from pipeline.commands.spark.settings import SparkSettings
from pipeline.settings import from_command_line


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(SparkSettings)
    log.configure(settings.log_format, settings.log_level.upper(), LOG_TEXT)
    try:
        from pipeline.commands.spark.running import run
    except ModuleNotFoundError as error:
        needed = str(error.name).partition(".")[0]
        sys.exit(f"har-spark: Spark needs {needed}: pip install 'har-stream[spark]'")
    try:
        with Monitor(settings, command="har-spark") as monitor:
            run(settings, monitor)
    except (SparkJobError, MonitorError) as error:
        sys.exit(f"har-spark: {error}")


if __name__ == "__main__":
    main()
