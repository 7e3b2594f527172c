"""The error of whoever asks for something that cannot be trained or evaluated."""


class SettingError(ValueError):
    """A setting does not fit the data or the other settings; whoever chose it can mend it."""
