"""TLS on the way to the broker: which certificates are accepted, and what its errors mean.

When to connect, and whether to try again, is not decided here.
"""

import ssl
from pathlib import Path
from typing import Final

from pipeline.settings import BrokerSettings

OLDEST_VERSION: Final = ssl.TLSVersion.TLSv1_2

# What OpenSSL finds wrong with a certificate: the X509_V_ERR_* of openssl/x509_vfy.h
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_NOT_VOUCHED_FOR: Final = {18, 19, 20, 21}
_OTHER_HOST: Final = {62, 64}

_SPEAKS_NO_TLS: Final = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
_OTHER_VERSION: Final = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"}
_DEMANDS_A_CERTIFICATE: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",  # the alert in TLS 1.2
}
_REFUSES_THE_CERTIFICATE: Final = {
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV1_ALERT_DECRYPT_ERROR",
    "TLSV1_ALERT_UNKNOWN_CA",
}


class CertificateFileError(Exception):
    """A file of certificates or keys cannot be used; the user can name another."""


class _Socket(ssl.SSLSocket):
    """A connection that is closed when its handshake fails: paho forgets it, and leaves it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def client_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return what paho needs for TLS: 1.2 or newer, the broker's certificate and name verified.

    Raises:
        CertificateFileError: a file cannot be read, holds something else, or does not fit.
    """
    if settings.cafile is not None:
        _read(settings.cafile, "--cafile", "CERTIFICATE-----", "certificate")
    try:
        context = ssl.create_default_context(cafile=settings.cafile)
    except ssl.SSLError as error:
        raise CertificateFileError(
            f"--cafile {settings.cafile}: its certificates cannot be read ({_reason(error)})"
        ) from error
    context.sslsocket_class = _Socket
    context.minimum_version = OLDEST_VERSION
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert is not None:
        _add_client_certificate(context, settings, settings.cert)
    return context


def _add_client_certificate(context: ssl.SSLContext, settings: BrokerSettings, cert: Path) -> None:
    _read(cert, "--cert", "CERTIFICATE-----", "certificate")
    key, flag = (cert, "--cert") if settings.key is None else (settings.key, "--key")
    _read(key, flag, "PRIVATE KEY-----", "private key")
    known = settings.key_password
    encrypted = False

    def password() -> str:  # without it, OpenSSL would ask at the terminal
        nonlocal encrypted
        encrypted = True
        return "" if known is None else known.get_secret_value()

    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = f"is not the key of the certificate in {cert}"
        elif encrypted and known is None:
            why = "is encrypted: give --key-password-file or HAR_KEY_PASSWORD"
        elif encrypted:
            why = "cannot be decrypted: is the key password right?"
        else:
            why = f"cannot be used with the certificate in {cert} ({_reason(error)})"
        raise CertificateFileError(f"{flag} {key}: {why}") from error


def _read(path: Path, flag: str, mark: str, what: str) -> None:
    """Refuse a file that cannot be read, or in which nothing is marked as what it should hold."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CertificateFileError(f"{flag} {path}: {error.strerror}") from error
    if mark.encode() not in text:
        raise CertificateFileError(f"{flag} {path}: there is no {what} in it (in PEM form)")


def explain(error: ssl.SSLError, settings: BrokerSettings) -> tuple[str, bool]:
    """Return what a failed handshake means and what to do, and whether trying again can help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_refusal(error, settings.broker)
    reason = error.reason or ""
    if reason in _SPEAKS_NO_TLS:
        return "it does not speak TLS at this port: see --port, or leave out --tls", False
    if reason in _OTHER_VERSION:
        return "the broker knows only versions of TLS that are no longer safe", False
    if settings.cert is None and reason in _DEMANDS_A_CERTIFICATE:
        return "the broker demands a client certificate: give --cert and --key", False
    if reason in _DEMANDS_A_CERTIFICATE | _REFUSES_THE_CERTIFICATE:
        return f"the broker does not accept --cert {settings.cert} ({_reason(error)})", False
    # Also brokers without TLS end the handshake so.
    return f"no TLS handshake ({_reason(error)}): does it speak TLS at this port?", True


def _explain_refusal(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, bool]:
    """Return what is wrong with the broker's certificate, and whether time can mend it."""
    if error.verify_code == _EXPIRED:
        return "the broker's certificate has expired: renew it, or set this machine's clock", True
    if error.verify_code == _NOT_YET_VALID:
        return "the broker's certificate is not yet valid: is this machine's clock right?", True
    if error.verify_code in _OTHER_HOST:
        return (
            f"the broker's certificate is for another host than {host}: "
            "give a name that it holds as --broker",
            False,
        )
    if error.verify_code in _NOT_VOUCHED_FOR:
        return (
            f"the broker's certificate is not trusted ({error.verify_message}): "
            "give the authority that signed it as --cafile",
            False,
        )
    return f"the broker's certificate is not good: {error.verify_message}", False


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's word for it, for people."""
    if error.reason is None:
        return str(error.args[-1]) if error.args else "no reason given"
    return error.reason.lower().replace("_", " ")
