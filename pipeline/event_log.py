"""The events that are logged: each has a name, a text for people, and fields for programs.

The text names its fields, ``%(device)s: admitted``, and each is given once, by its name. How an
event is written, as text or as JSON, is decided by the command that runs (`pipeline.commands.log`).
"""

import logging


class EventLog:
    """Logs events by way of the `logging.Logger` of a module.

    Each method takes a text and the fields that it names; ``event`` is the event's name, in lower
    case with hyphens, which stays when the text is improved.
    """

    def __init__(self, name: str) -> None:
        """Log in the name of a module."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, text: str, /, **fields: object) -> None:
        """Log what only who looks for a fault wants to know."""
        self._log(logging.DEBUG, event, text, None, fields)

    def info(self, event: str, text: str, /, **fields: object) -> None:
        """Log what goes as it should."""
        self._log(logging.INFO, event, text, None, fields)

    def warning(self, event: str, text: str, /, **fields: object) -> None:
        """Log what somebody should look at."""
        self._log(logging.WARNING, event, text, None, fields)

    def error(
        self, event: str, text: str, /, *, cause: BaseException | None = None, **fields: object
    ) -> None:
        """Log what somebody has to mend; the traceback of a ``cause`` is logged too."""
        self._log(logging.ERROR, event, text, cause, fields)

    def _log(
        self,
        level: int,
        event: str,
        text: str,
        cause: BaseException | None,
        fields: dict[str, object],
    ) -> None:
        self._logger.log(
            level,
            text,
            *([fields] if fields else []),
            exc_info=cause,
            extra={"event": event, "fields": fields},
            stacklevel=3,
        )
