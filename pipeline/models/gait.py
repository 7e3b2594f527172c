"""The learnt numbers of gait that ship with the package, for the wearers' frames."""

from functools import cache
from importlib.resources import files
from typing import Final

from pipeline.recognition.network import Network

GAIT_FILE: Final = "gait.json"


@cache
def shipped_gait() -> Network:
    """Return the network that `Wearers` takes: is a gait walking, on the level or up?"""
    return Network.decode((files("pipeline") / "models" / GAIT_FILE).read_bytes())
