"""Standard output for people, in colours where there are any."""

from rich.console import Console


class Terminal(Console):
    """A console that leaves a closed output to the command, and takes texts as they are."""

    def __init__(self, color: bool) -> None:
        """Use colours where the terminal has them, unless they are not wanted."""
        super().__init__(
            markup=False,
            highlight=False,
            emoji=False,
            soft_wrap=True,
            no_color=None if color else True,
        )

    @property
    def is_coloured(self) -> bool:
        """Whether there is colour."""
        return self.color_system is not None and not self.no_color and not self.options.ascii_only

    def on_broken_pipe(self) -> None:
        """Raise it as it is.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
