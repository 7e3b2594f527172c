"""Who may open which page, by what their browser sends.

Rules:

* There is one token. All else that opens something is made of it: what the cookies hold, the
  invitation of the QR code, and each phone's own token, which is bound to its name. So nothing
  needs to be kept, and another token takes all access back.
* A token is in an address only at the first visit; from then on the browser has a cookie, which no
  script and no other site gets.
* Without a token, as on loopback, everybody who comes may see everything. Then, too, a page of
  another site cannot: the host must be one that no other site can pose as, and the origin ours.
* Secrets are compared in constant time.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

from pipeline.readings import is_device

Role = Literal["all", "phone"]

COOKIE_ALL: Final = "har-all"
COOKIE_PHONE: Final = "har-phone"
COOKIE_AGE_S: Final = 30 * 86_400
_ALL: Final = "all"
_INVITATION: Final = "invitation"
_OF_PHONE: Final = "phone "
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]@/\s]+))(?::\d{1,5})?")


@dataclass(frozen=True)
class Visitor:
    """Somebody who may come in."""

    role: Role
    device: str | None = None
    """The phone's name, the only one that a ``phone`` may use"""


@dataclass(frozen=True)
class Cookie:
    """A cookie to set."""

    name: str
    value: str


class Access:
    """The token, and all that follows from it."""

    def __init__(
        self, token: str | None, *, is_https: bool, hosts: Collection[str], origins: Collection[str]
    ) -> None:
        """Demand a token, or none.

        Args:
            token: what is demanded, None for nothing.
            is_https: whether the pages are encrypted.
            hosts: names of this machine.
            origins: other addresses of the pages, such as that of a proxy.
        """
        self._token = token
        self.is_https = is_https
        self._hosts = frozenset(host.lower().rstrip(".") for host in ("localhost", *hosts))
        self._origins = frozenset(origins)
        self._origin_hosts = frozenset(origin.split("://")[1] for origin in origins)

    @property
    def demands_token(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    @property
    def query(self) -> str:
        """What the dashboard's address ends with, at the first visit."""
        return "" if self._token is None else f"?token={quote(self._token)}"

    @property
    def invitation_query(self) -> str:
        """What the phone page's address ends with, for phones that get a name of their own."""
        return "" if self._token is None else f"?token={self._made(_INVITATION)}"

    def phone_query(self, device: str) -> str:
        """Return what the phone page's address ends with, for one phone."""
        name = f"?device={quote(device, safe='')}"
        return name if self._token is None else f"{name}&token={self.phone_token(device)}"

    def phone_token(self, device: str) -> str:
        """Return the token of one phone."""
        return self._made(_OF_PHONE + device)

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token for everything."""
        return self._token is None or _same(text, self._token)

    def is_invitation(self, text: str) -> bool:
        """Return whether a text lets a phone come that gets a name."""
        return self._token is None or _same(text, self._made(_INVITATION))

    def is_phone_token(self, text: str, device: str) -> bool:
        """Return whether a text is the token of a phone."""
        return self._token is None or _same(text, self.phone_token(device))

    def cookie_for_all(self) -> Cookie:
        """Return the cookie of a browser that may see everything."""
        return Cookie(COOKIE_ALL, self._made(_ALL))

    def cookie_for_phone(self, device: str) -> Cookie:
        """Return the cookie of a phone's browser."""
        return Cookie(COOKIE_PHONE, f"{self.phone_token(device)}.{quote(device, safe='')}")

    def visitor(self, cookies: Mapping[str, str], *, device: str | None) -> Visitor | None:
        """Return who comes, by their cookies, and for which phone; None if they may not.

        Args:
            cookies: what their browser sends.
            device: the phone that they come for; None for the dashboard.
        """
        if self._token is None or _same(cookies.get(COOKIE_ALL, ""), self._made(_ALL)):
            return Visitor("all", device)
        if device is not None and self.is_phone_token(
            cookies.get(COOKIE_PHONE, "").partition(".")[0], device
        ):
            return Visitor("phone", device)
        return None

    def is_host(self, host: str) -> bool:
        """Return whether a ``Host`` is one that no other site can have pointed at this machine.

        A name could be (DNS rebinding), an address cannot.
        """
        host = host.lower()
        if host in self._origin_hosts:
            return True
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["v6"] or found["name"].rstrip(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True

    def is_origin(self, origin: str | None, host: str) -> bool:
        """Return whether a page may ask that is from ``origin``; None comes from no page."""
        if origin is None:
            return True
        scheme = "https" if self.is_https else "http"
        return origin.lower() == f"{scheme}://{host.lower()}" or origin.lower() in self._origins

    def _made(self, purpose: str) -> str:
        """Return what is made of the token for a purpose; it tells nothing of any other."""
        key = (self._token or "").encode()
        return hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()[:40]


def device_in_cookie(cookies: Mapping[str, str]) -> str | None:
    """Return the name that a phone's cookie holds; whether it may have it is another matter."""
    name = unquote(cookies.get(COOKIE_PHONE, "").partition(".")[2])
    return name if is_device(name) else None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
