"""Health: named checks, and the answer to whoever asks for them.

A command is *alive* while its loop turns; who asks may start it anew if it is not. It is *ready*
while it does what it is there for; that may need the broker, and waiting can help.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

Check = Callable[[], str | None]
"""Returns what is wrong, in words, None if nothing is; it is called on any thread"""

Checks = Mapping[str, Check]
"""Checks by name"""


def report(checks: Checks) -> tuple[HTTPStatus, bytes]:
    """Return status and JSON that say whether all is well, and of each check what is wrong."""
    found = {name: check() for name, check in checks.items()}
    is_well = not any(found.values())
    body = {
        "status": "ok" if is_well else "failing",
        "checks": {name: wrong or "ok" for name, wrong in found.items()},
    }
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, msgspec.json.encode(body) + b"\n"
