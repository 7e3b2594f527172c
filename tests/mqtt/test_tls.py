"""What TLS makes of the files that it is given; handshakes are tried in test_mqtt.py."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.mqtt.tls import CertificateFileError, client_context, explain
from pipeline.settings import BrokerSettings

Settings = Callable[..., BrokerSettings]


@pytest.fixture
def settings(own_settings: None) -> Settings:
    """A function that returns settings with TLS."""
    return lambda **changes: BrokerSettings(broker="127.0.0.1", tls=True, **changes)


def openssl(*arguments: str | Path) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def encrypted_key(certificates: Path, tmp_path: Path) -> Path:
    """The client's key, encrypted with the password ``open sesame``."""
    key = tmp_path / "encrypted.key"
    openssl(
        "ec", "-aes256", "-passout", "pass:open sesame",
        "-in", certificates / "client.key", "-out", key,
    )  # fmt: skip
    return key


def test_the_broker_is_verified(settings: Settings) -> None:
    """Unless it is said otherwise, TLS is 1.2 or newer and certificate and name are verified."""
    context = client_context(settings())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_only_insecure_verifies_nothing(settings: Settings) -> None:
    """--insecure takes any certificate, of any name."""
    context = client_context(settings(insecure=True))
    assert context.verify_mode == ssl.CERT_NONE
    assert not context.check_hostname


def test_cafile_alone_is_trusted(settings: Settings, certificates: Path) -> None:
    """With --cafile its authorities count, and the system's do not."""
    (authority,) = client_context(settings(cafile=certificates / "ca.crt")).get_ca_certs()
    ((common_name,),) = authority["subject"]
    assert common_name[1].startswith("har-stream authority")


def test_a_key_with_a_password(
    settings: Settings, certificates: Path, encrypted_key: Path, tmp_path: Path
) -> None:
    """An encrypted key is opened with its password, also with one that a file holds."""
    file = tmp_path / "secret"
    file.write_text("open sesame\n")
    for given in ({"key_password": "open sesame"}, {"key_password_file": file}):
        client_context(settings(cert=certificates / "client.crt", key=encrypted_key, **given))


def test_a_key_beside_its_certificate(
    settings: Settings, certificates: Path, tmp_path: Path
) -> None:
    """Certificate and key may be in one file."""
    both = tmp_path / "both.pem"
    both.write_bytes(
        (certificates / "client.crt").read_bytes() + (certificates / "client.key").read_bytes()
    )
    client_context(settings(cert=both))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"cafile": "gone"}, "--cafile gone: No such file or directory"),
        ({"cafile": "."}, "--cafile .: Is a directory"),
        ({"cafile": "text"}, "--cafile text: there is no certificate in it (in PEM form)"),
        ({"cafile": "torn"}, "--cafile torn: its certificates cannot be read"),
        ({"cert": "gone", "key": "client.key"}, "--cert gone: No such file or directory"),
        ({"cert": "text", "key": "client.key"}, "--cert text: there is no certificate in it"),
        ({"cert": "client.crt", "key": "gone"}, "--key gone: No such file or directory"),
        ({"cert": "client.crt", "key": "text"}, "--key text: there is no private key in it"),
        ({"cert": "client.crt"}, "--cert client.crt: there is no private key in it"),
        (
            {"cert": "client.crt", "key": "server.key"},
            "--key server.key: is not the key of the certificate in client.crt",
        ),
        (
            {"cert": "client.crt", "key": "encrypted.key"},
            "--key encrypted.key: is encrypted: give --key-password-file or HAR_KEY_PASSWORD",
        ),
        (
            {"cert": "client.crt", "key": "encrypted.key", "key_password": "s3cret"},
            "--key encrypted.key: cannot be decrypted: is the key password right?",
        ),
    ],
)
def test_files_that_cannot_be_used(
    settings: Settings,
    certificates: Path,
    encrypted_key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    said: str,
) -> None:
    """A file that is missing, holds something else or does not fit is named, with what is wrong."""
    monkeypatch.chdir(tmp_path)
    for path in certificates.iterdir():
        Path(path.name).write_bytes(path.read_bytes())
    Path("text").write_text("not a certificate")
    Path("torn").write_bytes((certificates / "ca.crt").read_bytes()[:200])
    with pytest.raises(CertificateFileError) as error:
        client_context(settings(**files))
    assert str(error.value).startswith(said)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("reason", "said", "passing"),
    [
        ("WRONG_VERSION_NUMBER", "does not speak TLS at this port", False),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "versions of TLS that are no longer safe", False),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "demands a client certificate", False),
        ("SOMETHING_NEW", "something new", True),
    ],
)
def test_what_openssl_says(settings: Settings, reason: str, said: str, passing: bool) -> None:
    """OpenSSL's words for rare failures become advice; what is not known is tried again."""
    error = ssl.SSLError(1, "")
    error.reason = reason
    text, may_pass = explain(error, settings())
    assert said in text
    assert may_pass == passing
