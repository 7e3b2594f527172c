"""The names by which phones are shown, as their owners have set them.

They stay when a phone is forgotten, as the broker retains them. Rules: there are not more than may
be phones at once; a phone that is admitted has room before others, whose names can be made up.
"""

from collections.abc import Callable, Mapping

from pipeline.readings import MessageError, check_device


class PhoneNames:
    """The names of all phones that have been given one."""

    def __init__(self, most: int, *, is_admitted: Callable[[str], bool]) -> None:
        """Begin without any; ``most`` are kept."""
        self._most = most
        self._is_admitted = is_admitted
        self._names: dict[str, str] = {}

    def of(self, device: str) -> str | None:
        """Return a phone's name, None if it was given none."""
        return self._names.get(device)

    def set(self, device: str, name: str | None) -> bool:
        """Give a phone a name, or take it back; return whether that changes anything.

        Raises:
            MessageError: no phone can be called ``device``, or there are too many.
        """
        check_device(device)
        if name == self._names.get(device):
            return False
        if name is None:
            del self._names[device]
            return True
        if device not in self._names and len(self._names) >= self._most:
            self._make_room(device)
        self._names[device] = name
        return True

    def state(self) -> dict[str, str]:
        """Return all of them."""
        return dict(self._names)

    def restore(self, state: Mapping[str, str]) -> None:
        """Restore what `state` returned."""
        self._names = dict(state)

    def _make_room(self, device: str) -> None:
        """Drop the name of a phone that is not admitted, for one that is."""
        absent = next((other for other in self._names if not self._is_admitted(other)), None)
        if absent is None or not self._is_admitted(device):
            raise MessageError(
                "devices", f"{len(self._names)} phones have names already: take others back"
            )
        del self._names[absent]
