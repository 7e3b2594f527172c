"""The wire formats, one module each; a module in this folder is a format.

A format's module has

* ``TOPIC``: the topic filter under which its senders usually publish,
* ``SUMMARY``: what it is, in a line,
* ``decode(payload, device)``: the readings and labels in a message, in the order they are written,
  where ``device`` is the level of the topic that the subscription's ``+`` stands for, None without
  ``+``. It raises `MessageError`, and nothing else, for what does not fit.

It may have

* ``decode_together(payloads)``: those of many messages that are alike, in blocks.

Its name on the command line is the module's with hyphens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from pipeline.blocks import Block
from pipeline.readings import Label, Readings


@dataclass(frozen=True)
class Format:
    """A wire format."""

    name: str
    topic: str
    """Topic filter under which its senders usually publish"""
    summary: str
    decode: Callable[[bytes, str | None], Sequence[Readings | Label]]
    decode_together: Callable[[Sequence[bytes]], list[Block]] | None = None
    """For messages whose topics name their devices"""


def _formats() -> dict[str, Format]:
    formats = {}
    for module_info in iter_modules(__path__):
        module = import_module(f"{__name__}.{module_info.name}")
        name = module_info.name.replace("_", "-")
        together = getattr(module, "decode_together", None)
        formats[name] = Format(name, module.TOPIC, module.SUMMARY, module.decode, together)
    return formats


FORMATS: Final = _formats()
"""All formats by name."""
