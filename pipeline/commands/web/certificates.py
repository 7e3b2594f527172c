"""Addresses of this machine, and a certificate for them that is made here once.

The certificate is kept, so that a browser that was told to trust it does so again. It is made anew
when an address is not in it, or it ends soon.
"""

import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.atomic_file import replacing

VALID_DAYS: Final = 397
"""Browsers take none that is valid for longer"""
RENEWED_DAYS: Final = 30
"""Before the end of its time it is made anew"""
FILE: Final = "certificate.pem"
# Nobody answers there, and nothing is sent: it is asked which of our addresses would be used.
_ELSEWHERE: Final = (
    (socket.AF_INET, ("192.0.2.1", 9)),  # RFC 5737
    (socket.AF_INET6, ("2001:db8::1", 9)),  # RFC 3849
)


class CertificateError(Exception):
    """A certificate cannot be used; whoever runs the program can mend it."""


def addresses() -> list[str]:
    """Return the addresses of this machine in its networks, the likeliest first, loopback last."""
    found: list[str] = []
    for family, target in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(target)
                found.append(probe.getsockname()[0])
        except OSError:
            continue
    try:
        of_name = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        found += [str(entry[4][0]) for entry in of_name]
    except OSError:
        pass
    found += _of_interfaces()
    usable = [a for a in map(ipaddress.ip_address, _without_scope(found)) if not a.is_link_local]
    others = [str(address) for address in usable if not address.is_loopback]
    return list(dict.fromkeys([*others, "127.0.0.1", "::1"]))


def host_names() -> list[str]:
    """Return the names of this machine in its network."""
    name = socket.gethostname().lower().split(".")[0]
    return list(dict.fromkeys([name, f"{name}.local", socket.getfqdn().lower()]))


def self_signed(folder: Path, names: Sequence[str]) -> tuple[Path, str]:
    """Return the file of a certificate for names and addresses with its key, and its fingerprint.

    Raises:
        OSError: it cannot be written or read.
    """
    file = folder / FILE
    wanted = set(names)
    now = datetime.now(UTC)
    certificate = _kept(file)
    if (
        certificate is None
        or not wanted <= _names_in(certificate)
        or certificate.not_valid_after_utc < now + timedelta(days=RENEWED_DAYS)
    ):
        known = set() if certificate is None else _names_in(certificate)
        certificate = _make(file, sorted(wanted | known), now)
    return file, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def check(cert: Path, key: Path | None) -> None:
    """Check that a certificate and its key can be used.

    Raises:
        CertificateError: they cannot; why.
    """
    for name, path in (("https-cert", cert), ("https-key", key)):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            raise CertificateError(f"{name} = {str(path)!r}: {error.strerror}") from error
    try:
        # An encrypted key would be asked for in the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise CertificateError(
            f"https-cert = {str(cert)!r}: no certificate with its key, not encrypted, in PEM"
        ) from error


def _kept(file: Path) -> x509.Certificate | None:
    try:
        check(file, None)
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (CertificateError, OSError, ValueError):
        return None  # there is none, or not a whole one: another is made


def _make(file: Path, names: Sequence[str], now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "har-web on this machine")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=VALID_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with replacing(file, mode=0o600) as unfinished:
        unfinished.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        unfinished.write(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    }


def _of_interfaces() -> list[str]:
    """Return the IPv4 address of each network interface, where the system is asked by ioctl."""
    try:
        import fcntl
    except ImportError:  # Windows
        return []
    siocgifaddr = 0x8915  # linux/sockios.h
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = name.encode()[:15].ljust(256, b"\0")
            try:
                answer = fcntl.ioctl(probe, siocgifaddr, request)
            except OSError:  # it has none, or this is no Linux
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _without_scope(found: Sequence[str]) -> list[str]:
    return [address.partition("%")[0] for address in found]
