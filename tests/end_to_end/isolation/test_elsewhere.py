"""What phones' names become elsewhere: in Home Assistant, in files, in counts."""

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.home_assistant import object_id
from pipeline.readings import Readings
from pipeline.recordings import journals, parquet
from pipeline.recordings.header import Header
from pipeline.serving.outputs.homeassistant import discovery
from pipeline.vocabulary import ACTIVITIES
from tests.end_to_end.isolation.names import families
from tests.end_to_end.isolation.recognised import EPOCH
from tests.processes import ROOT

PIPELINE = ROOT / "pipeline"


@given(families())
@settings(max_examples=300)
def test_home_assistant_knows_them_apart(names: list[str]) -> None:
    """However alike names are, their identifiers and topics in Home Assistant are different."""
    assert len({object_id(name) for name in names}) == len(names)
    topics, identifiers = set(), set()
    for name in names:
        announced = discovery(name, ACTIVITIES, name=None, heartbeat_s=10.0)
        content: dict[str, Any] = msgspec.json.decode(announced.payload)
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", announced.topic)
        topics.add(announced.topic)
        components = content["components"].values()
        sensors = [one for one in components if one["platform"] == "sensor"]
        triggers = [one for one in components if one["platform"] == "device_automation"]
        identifiers.update(content["device"]["identifiers"])
        identifiers.update(one["unique_id"] for one in sensors)
        assert {f"har/{name}/activity"} == {one["state_topic"] for one in sensors}
        assert {f"har/{name}/begins"} == {one["topic"] for one in triggers}
        assert {"topic": f"har/{name}/availability"} in content["availability"]
    assert (len(topics), len(identifiers)) == (len(names), 3 * len(names))


def recording_of(device: str, folder: Path) -> tuple[Path, Path]:
    """Record a sample of a device; return the file while it is written, and when it is done."""
    header = Header(
        device=device, format="native", clock="epoch", convention="android",
        convention_from="setting", created="2026-11-23T15:22:00.123Z", software="",
    )  # fmt: skip
    journal = journals.Journal(folder, header)
    # What cannot be read for its device's name is written all the same
    journal.append(0, Readings("phone", np.array([EPOCH]), np.zeros((1, 6))))
    path = journal.close()
    assert path is not None
    return journal.path, path


@given(
    families(),
    st.text(st.sampled_from("./\\\0\n~ ab"), max_size=80)
    | st.sampled_from(["../../x", "/etc/passwd", "..", "a/../../b", "C:\\x", "~/x", "\0"]),
)
@settings(max_examples=40)
def test_recordings_stay_in_their_folder(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], impossible: str
) -> None:
    """Whatever phones are called, also what none can be, each one's file is its own, and there."""
    above = tmp_path_factory.mktemp("above")
    folder = above / "recordings"
    devices = dict.fromkeys([*names, impossible])
    paths = {}
    for device in devices:
        journal, paths[device] = recording_of(device, folder)
        assert {folder} == {journal.parent, paths[device].parent}
        assert len(paths[device].name.encode()) <= 255
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.parquet", paths[device].name)
    assert sorted(paths.values()) == sorted(folder.iterdir())
    assert [folder] == list(above.iterdir())
    for device in names:
        assert parquet.read(paths[device]).header.device == device


def test_reasons_are_no_words_of_the_sender() -> None:
    """Messages are counted by reasons that stand in the source: no message can make another."""
    n_errors = 0
    for file in sorted(PIPELINE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "MessageError"
            ):
                n_errors += 1
                reason = node.args[0]
                assert isinstance(reason, ast.Constant), f"{file.name}:{node.lineno}"
                assert re.fullmatch("[a-z]+", reason.value), f"{file.name}:{node.lineno}"
    assert n_errors > 30
