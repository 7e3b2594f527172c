"""The pictures of har-web's pages in docs/images, of the demo as it runs.

``python -m tests.screenshots`` makes them anew, in Chromium, within two minutes. The demo plays the
UCI HAR test set if it is at hand (``HAR_DATA_DIR``) or can be downloaded.
"""

import io
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.brokers import find_free_port
from tests.browsers import chromium
from tests.processes import commands_in

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
MOST_BYTES: Final = 200_000
COLOURS: Final = 256
DURATION_S: Final = 90
SPEED: Final = 4.5
"""So all of a subject's activities are on the ribbon"""
WARM_UP_S: Final = 40.0
END_S: Final = 75.0
"""Until then the moment is awaited at which phones do the most different things"""
LOOK_MS: Final = 500
OPENED: Final = "subject-09"
DASHBOARD: Final = {"width": 1280, "height": 1140}
PHONE: Final = {"width": 1080, "height": 1212}


def main() -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as name, commands_in(Path(name)) as start:
        port = find_free_port()
        flags = ["--duration", str(DURATION_S), "--speed", str(SPEED)]
        demo = start("har-demo", "--web", "--listen", f"127.0.0.1:{port}", *flags)
        demo.await_log("phones → broker", timeout_s=120.0)
        begun = time.monotonic()
        with chromium() as browser:
            url = f"http://127.0.0.1:{port}/"
            dashboard = _opened(browser, url, DASHBOARD)
            phone = _opened(browser, f"{url}#/phone/{OPENED}", PHONE)
            dashboard.wait_for_timeout(1000 * WARM_UP_S)
            most = 0
            while time.monotonic() < begun + END_S:
                dashboard.wait_for_timeout(LOOK_MS)
                different = len(set(dashboard.locator(".card .activity").all_inner_texts()))
                if different >= most:
                    most = different
                    _take(dashboard, "web-dashboard.png")
            _take(phone, "web-phone.png")
        demo.end()


def _opened(browser: Any, url: str, size: dict[str, int]) -> Any:  # noqa: ANN401 (Playwright's)
    page = browser.new_context(viewport=size, color_scheme="light").new_page()
    page.goto(url)
    return page


def _take(page: Any, name: str) -> None:  # noqa: ANN401 (Playwright's page)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    assert (IMAGES / name).stat().st_size <= MOST_BYTES, name
    print(IMAGES / name)


if __name__ == "__main__":
    main()
