"""What keeps secrets within a process: passwords, tokens, addresses of databases.

Rules:

* A process that another one starts gets only those that it needs, whatever its environment holds.
* A crash leaves no core dump: that would hold all of them. This is done by the limit on its size
  rather than by making the process undumpable, which would close ``/proc/self`` to the metrics and
  the process to its operator's tools. The limit is 1 byte: at 0 Linux would still hand the dump to
  a program, such as systemd-coredump, but not at 1.
"""

import resource
from collections.abc import Container, Mapping, MutableMapping
from typing import Final

SECRETS: Final = ("password", "key_password", "token", "database")
"""Settings whose values are shown to nobody."""
NO_DUMP_BYTES: Final = 1


def environment_without_secrets(
    environment: Mapping[str, str], needed: Container[str] = ()
) -> dict[str, str]:
    """Return an environment for a child: without secrets, but for settings that it needs."""
    kept_back = {f"HAR_{name.upper()}" for name in SECRETS if name not in needed}
    return {name: value for name, value in environment.items() if name.upper() not in kept_back}


def drop_secrets(environment: MutableMapping[str, str]) -> None:
    """Take the secrets out of an environment: that of a process whose children need none."""
    for name in environment.keys() - environment_without_secrets(environment).keys():
        del environment[name]


def leave_no_core_dump() -> None:
    """Let this process, and those that it starts, leave no core dump."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = NO_DUMP_BYTES if hard == resource.RLIM_INFINITY else min(hard, NO_DUMP_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (most, hard))
