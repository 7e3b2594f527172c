"""The pictures of har-web's pages in docs/images, of made-up phones.

``python -m tests.screenshots`` makes them anew, in Chromium.
"""

import time
from pathlib import Path
from typing import Final

from tests.browsers import chromium
from tests.made_fleet import LOW_RATE, MadeFleet
from tests.made_web_server import Visitor, serving

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
MOST_BYTES: Final = 200_000
NAMES: Final = ("anna", "ben", "carla", "david", "emil", "fatima", "grete", "hugo", "ines")
SETTLING_MS: Final = 1_500
SMALLER: Final = {"width": 1080, "height": 720}
WIDE: Final = {"width": 1280, "height": 800}


def greet(visitor: Visitor) -> None:
    """Tell a page of nine phones: one with a warning, one offline."""
    now = time.time()
    fleet = MadeFleet(NAMES, now)
    fleet.phones[4].offline = True
    fleet.phones[5].warnings, fleet.phones[5].advice = ["low-rate"], [LOW_RATE]
    visitor.say(fleet.hello(now))
    if visitor.device is not None:
        visitor.say({"type": "answer", **fleet.phones[0].activity(now)})
        return
    phones = {phone.name: phone.whole(now) for phone in fleet.phones}
    for phone in fleet.phones:
        phones[phone.name]["signals"] = phone.signals(now - 9, now + SETTLING_MS / 1000)
    visitor.say(fleet.update(now, phones))
    opened = fleet.opened(NAMES[0], now - 600, now)
    assert opened is not None
    visitor.say(opened)


def main() -> None:
    """Make the pictures."""
    with serving(greet) as server, chromium() as browser:
        for name, scheme, address, size in (
            ("web-dashboard.png", "light", "/", WIDE),
            ("web-phone.png", "dark", f"/#/phone/{NAMES[0]}", SMALLER),
        ):
            context = browser.new_context(viewport=size, color_scheme=scheme)
            page = context.new_page()
            page.goto(server.url + address)
            page.wait_for_timeout(SETTLING_MS)
            page.screenshot(path=IMAGES / name)
            context.close()
            assert (IMAGES / name).stat().st_size <= MOST_BYTES, name
            print(IMAGES / name)


if __name__ == "__main__":
    main()
