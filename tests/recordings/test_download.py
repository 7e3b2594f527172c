"""Data sets from the archive: what comes is checked and kept, or nothing is."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.recordings import datasets
from pipeline.recordings.datasets import UCI_HAR
from pipeline.recordings.recording import DataError

Files = dict[str, bytes]

pytestmark = pytest.mark.usefixtures("no_folder_variable")


@pytest.fixture
def archive() -> Iterator[dict[str, tuple[int | None, bytes]]]:
    """Serve addresses: announced length and content of each; the first address is ``address``."""
    served: dict[str, tuple[int | None, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in served:
                self.send_error(404)
                return
            length, content = served[self.path]
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served["address"] = (None, f"http://127.0.0.1:{server.server_port}".encode())
        yield served
        server.shutdown()
        thread.join()


def _address(archive: dict[str, tuple[int | None, bytes]]) -> str:
    return archive["address"][1].decode()


@pytest.mark.parametrize("announced", [True, False])
def test_a_download_is_kept_unwrapped(
    tmp_path: Path,
    archive: dict[str, tuple[int | None, bytes]],
    uci_har_files: Files,
    as_zip: Callable[..., bytes],
    announced: bool,
) -> None:
    """The data set's own zip is taken out of the archive's, and found again without network."""
    inner = as_zip(uci_har_files, "UCI HAR Dataset/")
    outer = as_zip({"UCI HAR Dataset.zip": inner, "UCI HAR Dataset.names": b"names"})
    archive["/240.zip"] = (len(outer) if announced else None, outer)
    cache = tmp_path / "new" / "cache"
    with datasets.opened(UCI_HAR, cache=cache, url=_address(archive) + "/240.zip") as files:
        assert set(uci_har_files) == set(files.names())
    assert [cache / "UCI HAR Dataset.zip"] == list(cache.iterdir())
    assert inner == (cache / "UCI HAR Dataset.zip").read_bytes()
    with datasets.opened(UCI_HAR, cache=cache, download=False) as files:
        assert cache / "UCI HAR Dataset.zip" == files.source


@pytest.mark.parametrize(
    "fault", ["truncated", "truncated unannounced", "damaged", "other", "no zip", "404", "refused"]
)
def test_a_failed_download_leaves_no_file(
    tmp_path: Path,
    archive: dict[str, tuple[int | None, bytes]],
    uci_har_files: Files,
    as_zip: Callable[..., bytes],
    fault: str,
) -> None:
    """Whatever goes wrong, there is an error that says what to do, and the cache stays empty."""
    whole = as_zip(uci_har_files)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    contents = {
        "truncated": (len(whole), whole[:-1000]),
        "truncated unannounced": (None, whole[:-1000]),
        "damaged": (len(whole), bytes(damaged)),
        "other": (None, as_zip({"other.txt": b"other"})),
        "no zip": (None, b"<html>Moved</html>"),
    }
    if fault in contents:
        archive["/240.zip"] = contents[fault]
    url = "http://127.0.0.1:1/240.zip" if fault == "refused" else _address(archive) + "/240.zip"
    with (
        pytest.raises(DataError, match=f"could not be downloaded from {url}.*--data"),
        datasets.opened(UCI_HAR, cache=tmp_path, url=url),
    ):
        pass
    assert [] == list(tmp_path.iterdir())
