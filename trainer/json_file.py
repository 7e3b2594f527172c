"""JSON files for people and programs."""

from pathlib import Path

import msgspec

from pipeline.atomic_file import replacing


def write_json(path: Path, content: object) -> None:
    """Write a JSON file with one entry a line, whole or not at all."""
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
