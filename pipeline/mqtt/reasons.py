"""Reasons for which there is no connection, in words: the broker's answers, and errors.

A reason says what to do, because its reader runs the program or the broker. It also says whether
trying again could help; whether to do so is decided in `link`.
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.mqtt import tls
from pipeline.mqtt.paho_client import AttemptError, reason_name
from pipeline.settings import BrokerSettings

REFUSED: Final = 128
"""Reason codes from here on are refusals (MQTT 5, 2.4)"""
NOT_AUTHORIZED: Final = 0x87
TAKEN_OVER: Final = 0x8E
WRONG_LOGIN: Final = {0x86, NOT_AUTHORIZED}
LASTING_REFUSALS: Final = WRONG_LOGIN | {0x84, 0x85, 0x8A, 0x8C}
"""Answers to a login that retrying cannot mend: also version, client id, ban and method"""
TOO_LARGE: Final = 0x95
NO_RETAIN: Final = 0x9A
NO_QOS: Final = 0x9B
NO_WILDCARDS: Final = 0xA2
UNSUPPORTED: Final = {
    NO_RETAIN: "it keeps no retained messages: set retain_available true there",
    NO_QOS: "it takes nothing at QoS 1: set max_qos 1 or more there",
    NO_WILDCARDS: "it takes no subscriptions with wildcards: allow them there",
}
"""Features that a broker may lack and that are needed, by reason code, and what to do"""

OR_ELSE: Final = (
    "Or does it refuse retained messages (retain_available false), QoS 1 (max_qos 0) or more "
    "clients? Its own log says"
)
"""Other reasons for no answer, which MQTT 3.1.1 cannot express"""


def of_refused_login(code: int, settings: BrokerSettings) -> str:
    """Return what the broker's answer to the login means, and what to do."""
    reason = reason_name(code)
    if code not in WRONG_LOGIN:
        return f"the broker refuses: {reason}"
    if settings.username is None:
        return f"the broker requires a login ({reason}): give --username and --password-file"
    return (
        f"the broker refuses the login of {settings.username} ({reason}): "
        "are name and password right?"
    )


def of_refused_subscriptions(
    refused: Mapping[str, str], needed: Sequence[str], settings: BrokerSettings
) -> str:
    """Return the reason where all needed topic filters are refused; ``refused`` names why."""
    return (
        f"the broker refuses the subscription to {' and '.join(needed)} "
        f"({', '.join(dict.fromkeys(refused[topic] for topic in needed))}): "
        f"may {settings.username or 'anybody'} read there?"
    )


def of_failed_attempt(error: BaseException | None, settings: BrokerSettings) -> tuple[str, bool]:
    """Return why nobody could be reached, and whether trying again cannot mend that."""
    if isinstance(error, AttemptError):
        return str(error), True
    if isinstance(error, ssl.SSLError):
        why, passing = tls.explain(error, settings)
        return why, not passing
    if isinstance(error, socket.gaierror):
        return f"there is no such host ({error.strerror})", False
    if isinstance(error, TimeoutError):
        return "no answer in time", False
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "it ends the TLS handshake: does it speak TLS at this port?", False
    return "nobody answers there", False


def of_login_without_answer(error: OSError | None, settings: BrokerSettings) -> tuple[str, bool]:
    """Return why a connection ends before the login is answered, and whether that will last."""
    if isinstance(error, ssl.SSLError):  # TLS 1.3: only now it is refused
        why, passing = tls.explain(error, settings)
        return why, not passing
    if not settings.tls:
        question = "does it expect --tls?"
    elif settings.cert is None:
        question = "does it demand a client certificate, --cert?"
    else:
        question = f"does it accept --cert {settings.cert}?"
    return f"it does not answer the login: {question} {OR_ELSE}", False


def of_lacking(codes: Sequence[int]) -> str:
    """Return what the broker does not support of what we need, and what to do."""
    return "; ".join(f"{UNSUPPORTED[code]} ({reason_name(code)})" for code in codes)
