"""Settings for all phones, ``VALUE``, or for one, ``DEVICE=VALUE``."""

from collections.abc import Mapping, Sequence
from typing import Final

_EVERY: Final = ""
"""Stands for all phones that have no setting of their own."""


class PlacementError(ValueError):
    """A convention or frame is not what it can be; whoever set it can mend it."""


class ByDevice:
    """The values of one setting, by device."""

    def __init__(
        self, settings: Sequence[str], allowed: Mapping[str, object] | Sequence[str], what: str
    ) -> None:
        """Read the settings of ``what``, whose values are those ``allowed``.

        Raises:
            PlacementError: a setting has another value.
        """
        self._values: dict[str, str] = {}
        for setting in settings:
            device, _, value = setting.rpartition("=")
            if value not in allowed:
                raise PlacementError(f"no {what} {value!r}: it is one of {', '.join(allowed)}")
            self._values[device] = value

    def of(self, device: str, *, default: str) -> str:
        """Return a phone's value: its own, else that of all phones, else the default."""
        return self._values.get(device, self._values.get(_EVERY, default))
