"""Mosquitto with the files of deploy/, and its clients.

Only paths, the port and the address are put in place; everything else is as it stands there.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.brokers import HOST, ConfiguredMosquitto, find_free_port
from tests.client import Login, MqttClient

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
USERS: Final = (
    *("phone-a", "phone-b", "har-stream", "har-bridge", "har-calibrate", "har-record", "har-web"),
    *("har-history", "reader", "home-assistant", "nobody"),
)


def password_of(user: str) -> str:
    """Return a user's password."""
    return f"s3cret of {user}"


def put_in_place(text: str, changes: dict[str, str]) -> str:
    """Return a text with parts of it exchanged; each must be there."""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


class SecureBroker(ConfiguredMosquitto):
    """Mosquitto with the files of deploy/."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        """Put the files into ``folder``, with a password for each user."""
        port = find_free_port()
        self.cafile = certificates / "ca.crt"
        shutil.copytree(certificates, folder / "certs")
        (folder / "data").mkdir()
        configuration = put_in_place(
            (DEPLOY / "mosquitto.conf").read_text(),
            {
                "listener 8883": f"listener {port} {HOST}",
                "/etc/mosquitto/": f"{folder}/",
                "/var/lib/mosquitto/": f"{folder}/data/",
                "log_dest stdout": f"log_dest file {folder / 'mosquitto.log'}",
            },
        )
        super().__init__(folder, port, configuration)
        if os.geteuid() == 0:  # else it could not read the folders of tests
            self.configure("user root")
        shutil.copy(DEPLOY / "mosquitto.acl", folder / "har.acl")
        passwords = folder / "har.passwords"
        passwords.write_text("".join(f"{user}:{password_of(user)}\n" for user in USERS))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)

    def flags_of(self, user: str) -> list[str]:
        """Return a command's flags but for the password."""
        return [*self.flags, "--cafile", str(self.cafile), "--username", user]


class Guest(MqttClient):
    """A client, which speaks MQTT 5: there the broker says what it refuses."""

    def __init__(
        self,
        broker: SecureBroker,
        user: str | None,
        *,
        password: str | None = None,
        client_id: str = "",
    ) -> None:
        """Try to log in; `login_answer` is what the broker says."""
        if user is not None:
            password = password or password_of(user)
        super().__init__(broker, login=Login(user, password, broker.cafile, client_id))
        self.await_that(lambda: self.logins)
        self.login_answer = self.logins[0]

    def answer_to(self, topic: str, payload: bytes | str = b"x") -> str:
        """Publish, and return what the broker says, without a word on whether somebody listens."""
        self.publish(topic, payload)
        return "Success" if self.answer == "No matching subscribers" else self.answer

    def heard_until(self, end: str) -> list[tuple[str, bytes]]:
        """Return all messages not yet read, up to the first on the topic ``end``."""
        n_before = len(self.taken)
        self.await_message(end)
        return [(message.topic, message.payload) for message in self.taken[n_before:]]
