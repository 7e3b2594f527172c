"""The addresses of the pages, as text and as QR codes."""

import io
from collections.abc import Sequence
from typing import Final

import segno

from pipeline.commands.listening import Listening
from pipeline.commands.web.access import Access

ANY: Final = ("0.0.0.0", "::")
"""Hosts to listen at that stand for all addresses"""


class Links:
    """Where the pages are."""

    def __init__(self, access: Access, bases: Sequence[str]) -> None:
        """Take what each address begins with, such as ``https://192.168.1.5:8443``."""
        self._access = access
        self._bases = bases

    @property
    def dashboards(self) -> list[str]:
        """The addresses of the dashboard, for the first visit."""
        return [f"{base}/{self._access.query}" for base in self._bases]

    @property
    def bare(self) -> list[str]:
        """The addresses of the dashboard, without the token."""
        return [f"{base}/" for base in self._bases]

    @property
    def phones(self) -> list[str]:
        """The addresses of the phone page, for phones that get a name of their own."""
        return [f"{base}/phone{self._access.invitation_query}" for base in self._bases]

    def phone(self, device: str) -> list[str]:
        """Return the addresses of the phone page for one phone."""
        return [f"{base}/phone{self._access.phone_query(device)}" for base in self._bases]


def bases(
    listening: Listening, port: int, *, is_https: bool, addresses: Sequence[str]
) -> list[str]:
    """Return what the pages' addresses begin with.

    Args:
        listening: what was asked for.
        port: that which is listened at.
        is_https: whether they are encrypted.
        addresses: those of this machine.
    """
    scheme = "https" if is_https else "http"
    hosts = [listening.host]
    if listening.host in ANY:
        hosts = [a for a in addresses if ":" not in a or listening.host == "::"]
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host in hosts]


def svg(url: str) -> str:
    """Return an address as a QR code, as SVG without a size of its own."""
    picture = io.BytesIO()
    segno.make_qr(url).save(picture, kind="svg", xmldecl=False, nl=False, omitsize=True, border=2)
    return picture.getvalue().decode()


def terminal(url: str) -> str:
    """Return an address as a QR code in characters."""
    text = io.StringIO()
    segno.make_qr(url).terminal(text, border=2, compact=True)
    return text.getvalue()
