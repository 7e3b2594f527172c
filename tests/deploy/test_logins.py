"""Who comes in to a broker with the files of deploy/."""

import subprocess
from collections.abc import Callable

import pytest

from tests.brokers import HOST
from tests.client import TIMEOUT_S, Login, MqttClient
from tests.deploy.secure_broker import USERS, Guest, SecureBroker, password_of

pytestmark = pytest.mark.broker


def test_logins(visit: Callable[..., Guest]) -> None:
    """Nobody comes in without name and password, or with wrong ones; each user does with his."""
    assert "Not authorized" == visit(None).login_answer
    assert "Not authorized" == visit("phone-a", password="guess").login_answer
    assert "Not authorized" == visit("phone-a", password=password_of("phone-b")).login_answer
    assert "Not authorized" == visit("phone-c").login_answer
    assert [visit(user).login_answer for user in USERS] == ["Success"] * len(USERS)


def test_nothing_without_tls(broker: SecureBroker) -> None:
    """A login that is not encrypted is not answered."""
    with MqttClient(broker, login=Login("phone-a", password_of("phone-a"))) as client:
        client.await_that(lambda: client.losses)
        assert [] == client.logins


@pytest.mark.parametrize(
    ("version", "taken"), [("tls1_1", False), ("tls1_2", True), ("tls1_3", True)]
)
def test_versions_of_tls(broker: SecureBroker, version: str, taken: bool) -> None:
    """TLS 1.1 is refused by the broker, 1.2 and 1.3 are not."""
    # At security level 0 OpenSSL 3 still offers TLS 1.1.
    ciphers = ["-cipher", "DEFAULT@SECLEVEL=0"] if version == "tls1_1" else []
    result = subprocess.run(
        ["openssl", "s_client", f"-{version}", *ciphers, "-verify_return_error",
         "-connect", f"{HOST}:{broker.port}", "-CAfile", str(broker.cafile)],
        input="", capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    if not taken and "no protocols available" in result.stderr:
        pytest.skip("this openssl cannot offer TLS 1.1 at all")
    assert ("Verify return code: 0 (ok)" in result.stdout and result.returncode == 0) == taken
    assert ("alert protocol version" in result.stderr) == (not taken)


def test_nobody_takes_anothers_place(visit: Callable[..., Guest]) -> None:
    """A phone that gives itself har-stream's client id does not put har-stream out."""
    stream = visit("har-stream")
    stream.subscribe("har/+/samples")
    phone = visit("phone-a", client_id="har-stream")
    assert "Success" == phone.answer_to("har/phone-a/samples", b"still there?")
    assert b"still there?" == stream.heard_until("har/phone-a/samples")[-1][1]
    assert [] == stream.losses
