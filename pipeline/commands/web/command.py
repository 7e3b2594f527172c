"""The command har-web: shows what har-stream knows on web pages, until a signal."""

import sys

from pipeline.commands import log
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.web.settings import StartError, WebSettings
from pipeline.settings import from_command_line
from pipeline.subscriptions import SubscriptionError


@log.command
def main() -> None:
    """Run the command."""
    start(shows_tokens=sys.stdout is not None and sys.stdout.isatty())


def start(*, shows_tokens: bool) -> None:
    """Serve until a signal.

    Without ``shows_tokens`` the addresses that are printed hold none: elsewhere than in a terminal
    they would be kept, such as in the journal of a service.
    """
    settings = from_command_line(WebSettings)
    log.configure(
        settings.log_format,
        settings.log_level.upper(),
        "%(asctime)s %(levelname)s %(message)s",
    )
    try:
        from pipeline.commands.web.running import run  # what it needs is an extra
    except ModuleNotFoundError as error:
        sys.exit(f"har-web: the pages need {error.name}: pip install 'har-stream[web]'")
    try:
        with Monitor(settings, command="har-web") as monitor:
            run(settings, monitor, shows_tokens=shows_tokens)
    except (MonitorError, StartError, SubscriptionError, ConnectionError) as error:
        sys.exit(f"har-web: {error}")
    except OSError as error:
        sys.exit(
            f"har-web: {error.filename}: {error.strerror}"
            if error.filename
            else f"har-web: {error}"
        )
