"""Settings for all phones, ``VALUE``, or for one, ``DEVICE=VALUE``."""

from collections.abc import Mapping, Sequence
from typing import Final

_EVERY: Final = ""
"""Stands for all phones without a setting for them alone."""


class PlacementError(ValueError):
    """A convention or frame is none of those allowed; the user can correct the setting."""


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
        """Return a phone's value, else that of all phones, else the default."""
        return self._values.get(device, self._values.get(_EVERY, default))
