import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.commands.listening import Listening
from pipeline.commands.web import certificates, links
from pipeline.commands.web.access import Access
from pipeline.commands.web.certificates import CertificateError

NAMES = ["localhost", "127.0.0.1", "::1", "192.168.1.5"]


def names_in(file: Path) -> set[str]:
    """Return the names and addresses that a certificate is for, as OpenSSL reads it."""
    decoded = ssl._ssl._test_decode_cert(str(file))  # type: ignore[attr-defined]
    found = (value for _, value in decoded["subjectAltName"])
    return {"::1" if value == "0:0:0:0:0:0:0:1" else value for value in found}


def test_it_is_made_once(tmp_path: Path) -> None:
    """It is for all names, can be used with its key, and is nobody else's to read."""
    file, fingerprint = certificates.self_signed(tmp_path, NAMES)
    assert set(NAMES) == names_in(file)
    assert 0o600 == file.stat().st_mode & 0o777
    certificates.check(file, None)
    assert (file, fingerprint) == certificates.self_signed(tmp_path, NAMES)
    assert (file, fingerprint) == certificates.self_signed(tmp_path, NAMES[1:])


def test_it_is_made_anew_for_another_address(tmp_path: Path) -> None:
    """The earlier addresses stay in it: a laptop moves to and fro."""
    _, fingerprint = certificates.self_signed(tmp_path, NAMES)
    file, other = certificates.self_signed(tmp_path, ["10.0.0.7"])
    assert fingerprint != other
    assert {*NAMES, "10.0.0.7"} == names_in(file)


def test_it_is_made_anew_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no browser ever meets one whose time is over."""
    monkeypatch.setattr(certificates, "VALID_DAYS", certificates.RENEWED_DAYS)
    _, fingerprint = certificates.self_signed(tmp_path, NAMES)
    assert fingerprint != certificates.self_signed(tmp_path, NAMES)[1]
    monkeypatch.undo()
    file, fingerprint = certificates.self_signed(tmp_path, NAMES)
    assert fingerprint == certificates.self_signed(tmp_path, NAMES)[1]
    decoded = ssl._ssl._test_decode_cert(str(file))  # type: ignore[attr-defined]
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(decoded["notAfter"]), UTC)
    assert timedelta(days=395) < end - datetime.now(UTC) < timedelta(days=398)


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    """It is replaced; as a setting it is refused."""
    file = tmp_path / certificates.FILE
    file.write_bytes(content)
    with pytest.raises(CertificateError):
        certificates.check(file, None)
    certificates.self_signed(tmp_path, NAMES)
    certificates.check(file, None)


def test_addresses_of_this_machine() -> None:
    """Loopback is always one of them, and the last."""
    found = certificates.addresses()
    assert ["127.0.0.1", "::1"] == found[-2:]
    assert len(found) == len(set(found))
    assert not any(address.startswith(("127.", "169.254.", "fe80")) for address in found[:-2])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", ["https://127.0.0.1:8443"]),
        ("0.0.0.0", ["https://10.0.0.7:8443", "https://127.0.0.1:8443"]),
        ("::", ["https://10.0.0.7:8443", "https://[2001:db8::7]:8443", "https://127.0.0.1:8443"]),
        ("::1", ["https://[::1]:8443"]),
        ("desk.local", ["https://desk.local:8443"]),
    ],
)
def test_what_addresses_begin_with(host: str, expected: list[str]) -> None:
    """Those of the host that is listened at; of all, where that is any."""
    addresses = ["10.0.0.7", "2001:db8::7", "127.0.0.1"]
    found = links.bases(Listening(host, 0), 8443, is_https=True, addresses=addresses)
    assert expected == found


def test_qr_codes() -> None:
    """A code is drawn in SVG that names no style, and in characters."""
    access = Access("a-token-for-all-of-it", is_https=True, hosts=[], origins=[])
    [url] = links.Links(access, ["https://10.0.0.7:8443"]).phones
    assert url.startswith("https://10.0.0.7:8443/phone?token=")
    assert links.svg(url).startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox=')
    assert "style" not in links.svg(url)
    assert "▀" in links.terminal(url)
