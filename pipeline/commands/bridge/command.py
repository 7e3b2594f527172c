"""The command har-bridge: carries samples from MQTT to Kafka, and results back."""

import sys

from pipeline.commands import log
from pipeline.commands.bridge.kafka_config import BridgeError
from pipeline.commands.bridge.settings import BridgeSettings
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.settings import from_command_line


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(BridgeSettings)
    log.configure(
        settings.log_format,
        settings.log_level.upper(),
        "%(asctime)s %(levelname)s %(message)s",
    )
    try:
        from pipeline.commands.bridge.running import run
    except ModuleNotFoundError as error:
        sys.exit(f"har-bridge: Kafka needs {error.name}: pip install 'har-stream[kafka]'")
    try:
        with Monitor(settings, command="har-bridge") as monitor:
            run(settings, monitor)
    except (BridgeError, ConnectionError, MonitorError) as error:
        sys.exit(f"har-bridge: {error}")
