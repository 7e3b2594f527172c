"""How har-web is started and ended."""

import re
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.brokers import find_free_port
from tests.commands.web.browser import Site

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.commands.web.conftest import StartWeb
    from tests.processes import Running

    Run = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(start_web: "StartWeb", signal_number: signal.Signals) -> None:
    """Soon, with exit code 0 and nothing but its introduction, also while pages are open."""
    running, site = start_web("--log-level", "warning", awaits="Dashboard: ")
    with site.page() as page, site.page("?device=anna"):
        page.await_that(lambda: page.state.get("link") == "up")
        assert 0 == running.end(signal_number)
    assert 2 == len(running.log.splitlines()), running.log


def test_a_port_in_use(run_command: "Run", broker: "Broker") -> None:
    """It is said in one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_command("har-web", *broker.flags, "--listen", address)
    assert (1, "", 1) == (ended.returncode, ended.stdout, len(ended.stderr.splitlines()))
    assert f"har-web: listen = '{address}': Address already in use; another" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--listen", "8080"], "is to be HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "is to be HOST:PORT"),
        (["--listen", "198.51.100.1:8080"], "this machine has no such address"),
        (["--listen", "nowhere.invalid:0"], "listen = 'nowhere.invalid:0': "),
        (["--token", "short"], "token = ***: is to have 16 or more characters"),
        (["--token", "a token with blanks"], "token = ***"),
        (["--token-file", "gone"], "token-file = 'gone': No such file"),
        (["--origin", "har.example.org"], "is to be an address alone"),
        (["--https-key", "x.pem"], "a key needs its certificate"),
        (["--https-cert", "gone.pem"], "https-cert = 'gone.pem': No such file"),
        (["--https-cert", "x.pem", "--self-signed"], "leave out one"),
        (["--subscribe", "x"], "'x' is not TOPIC=FORMAT"),
        (["--listen", "127.0.0.1:0", "--self-signed", "--keep", "/proc/x"], "keep = '/proc/x': "),
    ],
)
def test_settings_that_do_not_fit(
    run_command: "Run", broker: "Broker", flags: list[str], words: str
) -> None:
    """Each is said in one line, before anything is served."""
    ended = run_command("har-web", *broker.flags, *flags)
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines())), ended.stderr
    assert words in ended.stderr
    assert ended.stderr.startswith("har-web: ")


def test_a_certificate_that_is_none(run_command: "Run", broker: "Broker", tmp_path: Path) -> None:
    """It is said in one line."""
    (tmp_path / "x.pem").write_text("x")
    ended = run_command("har-web", *broker.flags, "--https-cert", "x.pem")
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines())), ended.stderr
    assert "https-cert = 'x.pem': no certificate with its key" in ended.stderr


@pytest.mark.parametrize("kept", [b"ab\n", b"\xff\xfe" * 10, b"two tokens in one file\n"])
def test_a_kept_token_that_is_none(
    run_command: "Run", broker: "Broker", tmp_path: Path, kept: bytes
) -> None:
    """It is not used, and not replaced in silence: phones may have links that go with it."""
    (tmp_path / "token").write_bytes(kept)
    flags = ["--listen", "0.0.0.0:0", "--keep", str(tmp_path)]
    ended = run_command("har-web", *broker.flags, *flags)
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines())), ended.stderr
    assert "is to have 16 or more characters" in ended.stderr
    assert kept == (tmp_path / "token").read_bytes()


def test_phones_need_https(
    start_command: "Callable[..., Running]", broker: "Broker", tmp_path: Path
) -> None:
    """Whoever serves the network without is told; a proxy may have it."""
    flags = [*broker.flags, "--listen", "0.0.0.0:0", "--keep", str(tmp_path)]
    running = start_command("har-web", *flags)
    running.await_log("connected to")
    assert "no sensors without https: see --self-signed" in running.log
    proxied = start_command("har-web", *flags, "--origin", "https://har.example.org")
    proxied.await_log("connected to")
    assert "no sensors" not in proxied.log


def test_any_address_demands_a_token(
    start_command: "Callable[..., Running]", broker: "Broker", tmp_path: Path
) -> None:
    """One is made if none is given, and kept; https makes its cookie a secure one."""
    keep = tmp_path / "kept"
    tokens, fingerprints = [], []
    for _ in range(2):
        port = find_free_port()
        running = start_command(
            "har-web", *broker.flags, "--listen", f"0.0.0.0:{port}", "--self-signed",
            "--keep", str(keep),
        )  # fmt: skip
        running.await_log("connected to")
        assert re.search(r"Dashboard: https://[\d.]+:\d+/$", running.log, re.MULTILINE)
        token = (keep / "token").read_text().strip()
        assert f"?token= and what is in {keep / 'token'}" in running.log
        assert "token=" not in running.log.replace("?token= and", "")
        [fingerprint] = re.findall(r"Certificate \(SHA-256\): (\S+)", running.log)
        tokens.append(token)
        fingerprints.append(fingerprint)
        context = ssl.create_default_context(cafile=str(keep / "certificate.pem"))
        site = Site(port, context)
        assert 401 == site.ask("/").status
        first = site.ask(f"/?token={token}")
        assert 303 == first.status
        assert "secure" in first.headers["set-cookie"].lower()
        greeting = site.first_frame(cookie=first.cookie)
        urls = [address["url"] for address in greeting["addresses"]]
        assert f"https://127.0.0.1:{port}" in " ".join(urls)
        assert not any(token in url for url in urls)
        assert 0 == running.end()
    assert 1 == len(set(tokens)) == len(set(fingerprints))
    assert {0o600} == {path.stat().st_mode & 0o777 for path in keep.iterdir()}
    assert 0o700 == keep.stat().st_mode & 0o777


def test_a_login_that_the_broker_refuses(
    start_command: "Callable[..., Running]", broker: "Broker", tmp_path: Path, free_port: int
) -> None:
    """It ends har-web with one clear line, as no page could ever show anything."""
    from tests.fake_broker import FakeBroker, Script

    with FakeBroker(Script(v5=False, login=5)) as refusing:
        running = start_command(
            "har-web", "--broker", "127.0.0.1", "--port", str(refusing.port),
            "--listen", f"127.0.0.1:{free_port}", "--log-level", "error",
        )  # fmt: skip
        assert 1 == running.process.wait(20)
    lines = [line for line in running.log.splitlines() if line.startswith("har-web:")]
    assert 1 == len(lines), running.log
    assert "Not authorized" in lines[0]
