"""Settings of where phones are worn that have no effect beside others: nobody should rely on them.

With two models a phone that is set to be anywhere has the one for phones any way round, which sees
the same whatever the frame. With one model the place decides nothing.
"""

from collections.abc import Sequence

from pipeline.commands.recognition_settings import RecognitionSettings
from pipeline.recognition.judgement.model import Model


def idle_settings(settings: RecognitionSettings, models: Sequence[Model]) -> list[str]:
    """Return a sentence for each setting without effect, which says what holds.

    ``models`` is one for all phones, or one for those at the waist and one for the others.
    """
    idle = []
    if len(models) == 1:
        identity, is_for_any = models[0].identity, models[0].orientation == "any"
        if settings.placement:
            idle.append(
                f"--placement has no effect beside --model {settings.model}: all phones have "
                f"{identity}, wherever they are worn"
            )
        if settings.frame and is_for_any:
            idle.append(f"--frame has no effect: {identity} is for phones any way round")
        return idle
    places = _by_device(settings.placement)
    for device, frame in _by_device(settings.frame).items():
        applies_to_some = not device and "waist" in places.values()
        if applies_to_some or places.get(device, places.get("")) != "any":
            continue
        flag = f"{device}={frame}" if device else frame
        idle.append(
            f"--frame {flag} has no effect: --placement holds, by which "
            f"{device or 'every phone'} may be anywhere, and {models[-1].identity} is for phones "
            "any way round"
        )
    return idle


def _by_device(settings: Sequence[str]) -> dict[str, str]:
    """Return the values of settings ``VALUE`` and ``DEVICE=VALUE``; of all phones under ``""``."""
    parts = (setting.rpartition("=") for setting in settings)
    return {device: value for device, _, value in parts}
