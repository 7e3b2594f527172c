"""Images of deploy/Dockerfile made and run without a container engine, by root on Debian.

Strategy: `Builder` does what each instruction says in folders: a base is what debootstrap makes, a
stage is a copy of the one it is from, and RUN is done there by chroot. `Container` starts a command
as a service of compose.yaml says: as the image's user, without capabilities, in the image's folder
mounted read-only, with the service's volumes, files and environment. Processes and network are
those of this machine, so that ports are a test's own.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ROOT

DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
SUITE: Final = "bookworm"
MIRROR: Final = "http://deb.debian.org/debian"
USUAL_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AUTHORITIES: Final = "outside.crt"
_JAVAS_AUTHORITIES: Final = "outside.jks"
_FROM_OUTSIDE: Final = {
    "/etc/resolv.conf": "etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt": _AUTHORITIES,
    "/etc/ssl/certs/java/cacerts": _JAVAS_AUTHORITIES,
}
"""Files with which a stage reaches the registries as this machine does, and where it finds them"""


@dataclass
class Image:
    """A folder with everything in it, and what its instructions say of running it."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": USUAL_PATH})
    user: str = "0:0"
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def having(self, *names: str) -> set[str]:
        """Return those names of which there is a program or a Python package in it."""
        folders = [
            path
            for place in ("usr", "opt")
            for pattern in ("bin", "*-packages")
            for path in (self.root / place).rglob(pattern)
        ]
        return {name for name in names for folder in folders if (folder / name).exists()}


def stages(text: str) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Return the base and the instructions of each stage of a Dockerfile, by its name."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, argument = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = argument.split()
            found[name] = (base, [])
        elif found:
            list(found.values())[-1][1].append((instruction, argument))
    return found


class Builder:
    """Makes images, each once."""

    def __init__(self, folder: Path) -> None:
        """Work in a folder; skip the test where that cannot be."""
        if os.geteuid() != 0 or shutil.which("debootstrap") is None:
            pytest.skip("needs root, and debootstrap: make test-operation installs it")
        self._folder = folder
        self._stages = stages(DOCKERFILE.read_text())
        self._images: dict[str, Image] = {}

    def image(self, name: str) -> Image:
        """Return the image of a stage."""
        if name not in self._images:
            base, instructions = self._stages[name]
            root = self._folder / name
            if base in self._stages:
                parent = self.image(base)
                subprocess.run(["cp", "-a", "--reflink=auto", parent.root, root], check=True)
                image = Image(
                    root, {**parent.environment}, parent.user, parent.workdir,
                    volumes=[*parent.volumes],
                )  # fmt: skip
            else:
                assert base == "debian:${DEBIAN}"
                subprocess.run(["cp", "-a", "--reflink=auto", self._debian(), root], check=True)
                image = Image(root)
            for instruction, argument in instructions:
                self._do(image, instruction, argument)
            self._images[name] = image
        return self._images[name]

    def _debian(self) -> Path:
        folder = self._folder / "debian"
        if not folder.exists():
            subprocess.run(
                ["debootstrap", "--variant=minbase", SUITE, folder, MIRROR],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return folder

    def _do(self, image: Image, instruction: str, argument: str) -> None:
        match instruction:
            case "RUN":
                self._run(image, argument)
            case "COPY":
                self._copy(image, shlex.split(argument))
            case "ENV":
                image.environment |= dict(word.split("=", 1) for word in shlex.split(argument))
            case "WORKDIR":
                image.workdir = argument
                (image.root / argument.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = argument
            case "VOLUME":
                image.volumes.append(argument)
            case "ENTRYPOINT":
                image.entrypoint = json.loads(argument)
            case "HEALTHCHECK":
                _, _, command = argument.partition("CMD ")
                image.healthcheck = json.loads(command) if command else []
            case "LABEL" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise AssertionError(f"a test of {instruction} is missing")

    def _run(self, image: Image, command: str) -> None:
        mounts = ["mount -t proc proc proc", "mount --rbind /dev dev"]
        for file, place in _FROM_OUTSIDE.items():
            if Path(file).exists():  # Java's only where there is Java
                (image.root / place).touch()
                mounts.append(f"mount --bind {file} {place}")
        inner = shlex.join(
            ["/usr/sbin/chroot", ".", "/bin/sh", "-ec", f"cd {image.workdir}; {command}"]
        )
        subprocess.run(
            ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, f"exec {inner}"])],
            cwd=image.root,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND": "noninteractive",
                "PIP_CERT": f"/{_AUTHORITIES}",
                "MAVEN_OPTS": f"-Djavax.net.ssl.trustStore=/{_JAVAS_AUTHORITIES}",
                **image.environment,
            },
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for place in (_AUTHORITIES, _JAVAS_AUTHORITIES):
            (image.root / place).unlink(missing_ok=True)

    def _copy(self, image: Image, words: list[str]) -> None:
        source_root = ROOT
        if words[0].startswith("--from="):
            source_root = self.image(words.pop(0).removeprefix("--from=")).root
        *sources, target = words
        inside = image.root / os.path.join(image.workdir, target).lstrip("/")
        for name in sources:
            source = source_root / name.lstrip("/")
            if source.is_dir():
                ignored = ["__pycache__"] if source_root == ROOT else []  # as .dockerignore says
                shutil.copytree(
                    source,
                    inside,
                    symlinks=True,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(*ignored),
                )
            else:
                shutil.copy(source, inside)


class Container:
    """How one service's processes are started."""

    def __init__(
        self,
        image: Image,
        *,
        environment: Mapping[str, str],
        files: Mapping[str, Path],
        volumes: Mapping[str, Path],
    ) -> None:
        """Prepare the places of its files and volumes, as a container engine does.

        Args:
            image: what runs.
            environment: added to the image's.
            files: those that are mounted read-only, by their path within.
            volumes: folders that may be written, by their path within; they belong to its user.
        """
        self._image = image
        self._environment = {**image.environment, **environment}
        user, group = map(int, image.user.split(":"))
        mounts = []
        for place, path in {**files, **volumes}.items():
            inside = image.root / place.lstrip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                inside.mkdir(exist_ok=True)
            else:
                inside.touch()
            mounts.append(f"mount --bind {path} {inside}")
            if place in files:
                mounts.append(f"mount -o remount,bind,ro {inside}")
        for path in volumes.values():
            os.chown(path, user, group)
            path.chmod(0o700)
        root = image.root
        self._mounts = [
            f"mount --bind {root} {root}",
            f"mount -o remount,bind,ro {root}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
            *mounts,
        ]
        self._confined = [
            *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"),
            *("--bounding-set=-all", "--inh-caps=-all"),
        ]

    def start(self, command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        """Start a command, which writes to a file."""
        settings = [f"{name}={value}" for name, value in self._environment.items()]
        inner = [
            *self._confined,
            "env",
            "-i",
            f"--chdir={self._image.workdir}",
            *settings,
            *command,
        ]
        exec_it = "exec " + shlex.join(["chroot", str(self._image.root), *inner])
        with log.open("ab") as output:
            return subprocess.Popen(
                ["unshare", "--mount", "sh", "-ec", "; ".join([*self._mounts, exec_it])],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
