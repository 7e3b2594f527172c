"""The phones of a har-stream, dealt to buckets: each bucket begins with what is known of its own.

Nothing is forgotten on the way from one machine to many: signals, wearers, placements, calibrations
and names go on. What a har-stream had not published yet, it publishes itself when it is stopped.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.saved_phone import saved_phones


def dealt(
    state: Mapping[str, Any], recognizer: Recognizer, is_own: Callable[[str], bool]
) -> dict[str, Any]:
    """Return the state of those phones of a har-stream that are a bucket's own.

    Args:
        state: of the har-stream, as its checkpoint holds it.
        recognizer: to take the phones apart with; it has room for all of them.
        is_own: tells by its name whether a phone is the bucket's.

    Raises:
        StateError: the state belongs to other models or settings than the recognizer's.
    """
    recognizer.restore(state["core"])
    recognizer.forget([device for device in recognizer.devices if not is_own(device)])

    def own(by_device: Mapping[str, Any]) -> dict[str, Any]:
        return {device: value for device, value in by_device.items() if is_own(device)}

    placements = state["placements"]
    return {
        "core": recognizer.state(),
        "phones": [phone for phone in saved_phones(state["phones"]) if is_own(phone.device)],
        "placements": {
            "here": [device for device in placements["here"] if is_own(device)],
            "proven": own(placements["proven"]),
            "statements": own(placements["statements"]),
            "calibrations": {name: own(kept) for name, kept in placements["calibrations"].items()},
        },
        "names": own(state.get("names", {})),
    }
