import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.state.acknowledgements import LOG_INTERVAL_S, Keeper
from pipeline.state.checkpoint import StateFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    """A folder for the state."""
    with StateFolder(tmp_path / "state") as folder:
        yield folder


def message(mid: int, payload: bytes = b"samples", *, dup: bool = False) -> Message:
    """Return a message at QoS 1, or at QoS 0 if its identifier is 0."""
    return Message("har/phone/samples", payload, 100.0 + mid, mid, dup)


def again(one: Message) -> Message:
    """Return a message as the broker sends it again."""
    return msgspec.structs.replace(one, dup=True)


def saved(folder: StateFolder) -> dict[str, Any]:
    """Return the state in the folder."""
    state = folder.load()
    assert state is not None
    return state


def test_acknowledgements_follow_the_checkpoint(folder: StateFolder) -> None:
    """What has been worked through is acknowledged, in order, when the state is on the disk."""
    keeper = Keeper(folder, period_s=1.0)
    first, second, third = (message(mid) for mid in (7, 5, 6))
    assert not keeper.due(0.0)
    keeper.note(first)
    keeper.note(second)
    assert keeper.due(0.0)
    assert [] == keeper.saved(0.0)
    keeper.begin({"worked": 2}, 0.0)
    keeper.note(third)
    assert [first.receipt, second.receipt] == keeper.saved(0.0, wait=True)
    assert 2 == saved(folder)["worked"]
    assert [] == keeper.saved(0.0)
    assert (False, True) == (keeper.due(0.9), keeper.due(1.0))
    assert 1 == keeper.unsaved


def test_checkpoints_take_a_tenth_of_a_core(folder: StateFolder) -> None:
    """After one that took much processor time the next is due ten times as long after it."""
    keeper = Keeper(folder, period_s=1.0)
    keeper.note(message(1))
    keeper.begin({}, 100.0, cpu_s=0.5)
    keeper.note(message(2))
    keeper.saved(100.6, wait=True)
    assert (False, True) == (keeper.due(104.9), keeper.due(106.0))
    keeper.begin({}, 106.0, cpu_s=0.01)
    keeper.note(message(3))
    keeper.saved(106.1, wait=True)
    assert keeper.due(107.0)


def test_without_news_there_is_no_checkpoint(folder: StateFolder) -> None:
    """Nobody's silence wears out a disk; messages at QoS 0 are never acknowledged, but are news."""
    keeper = Keeper(folder, period_s=1.0)
    keeper.note(message(1))
    keeper.begin({}, 0.0)
    keeper.saved(0.0, wait=True)
    assert not keeper.due(100.0)
    keeper.note(message(0))
    assert keeper.due(100.0)
    keeper.begin({}, 100.0)
    assert [] == keeper.saved(100.0, wait=True)
    assert not keeper.due(200.0)


def test_what_comes_again_is_known(folder: StateFolder) -> None:
    """By identifier and checksum, while it is worked on, and when its acknowledgement was lost."""
    keeper = Keeper(folder, period_s=1.0)
    one = message(1)
    assert not keeper.knows(again(one))
    keeper.note(one)
    assert keeper.knows(again(one))
    assert not keeper.knows(one)  # a new message that has the identifier now
    assert not keeper.knows(message(1, b"others", dup=True))
    assert not keeper.knows(message(2, dup=True))
    keeper.begin({}, 0.0)
    keeper.saved(0.0, wait=True)
    assert keeper.knows(again(one))


def test_a_new_process_knows_what_comes_again(folder: StateFolder) -> None:
    """What is in the checkpoint is known after a crash; what came after it is not."""
    keeper = Keeper(folder, period_s=1.0)
    before, after = message(1), message(2)
    keeper.note(before)
    keeper.begin({}, 0.0)
    keeper.saved(0.0, wait=True)
    keeper.note(after)

    restarted = Keeper(folder, period_s=1.0)
    restarted.restore(saved(folder))
    assert restarted.knows(again(before))
    assert not restarted.knows(again(after))


def test_a_message_is_remembered_until_another_has_its_identifier(folder: StateFolder) -> None:
    """However many checkpoints ago it was, for its acknowledgement may be read late."""
    keeper = Keeper(folder, period_s=1.0)
    for number in range(10):
        keeper.note(message(1 + number))
        keeper.begin({}, float(number))
        keeper.saved(float(number), wait=True)
    assert 10 == len(saved(folder)["known_mids"])
    assert keeper.knows(again(message(1)))
    keeper.note(message(1, b"another"))
    assert not keeper.knows(again(message(1)))
    assert keeper.knows(again(message(10)))


def test_a_full_disk(folder: StateFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is acknowledged until there is room; it is told, but not each time."""
    keeper = Keeper(folder, period_s=1.0)
    one = message(1)
    keeper.note(one)
    for now in (0.0, 1.0, 2.0, LOG_INTERVAL_S):
        (folder.path / ".checkpoint.unfinished").symlink_to("/dev/full")
        keeper.begin({}, now)
        assert [] == keeper.saved(now, wait=True)
    assert 2 == caplog.text.count("cannot be written: No space left on device; nothing is")
    assert keeper.due(20.0)
    keeper.begin({}, 20.0)
    assert [one.receipt] == keeper.saved(20.0, wait=True)


@given(st.lists(st.sampled_from(["note", "begin", "save"])))
def test_each_message_settles_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever the order of things, every message is acknowledged once, in its order."""
    with StateFolder(tmp_path_factory.mktemp("state")) as folder:
        keeper = Keeper(folder, period_s=0.001)
        noted, saved = [], []
        for now, step in enumerate([*steps, "save", "begin", "save"], 1):
            if step == "note":
                noted.append(message(len(noted) + 1))
                keeper.note(noted[-1])
            elif step == "begin" and keeper.due(now):
                keeper.begin({}, now)
            elif step == "save":
                saved += keeper.saved(now, wait=True)
        assert [one.receipt for one in noted] == saved


def test_checkpoints_are_counted(folder: StateFolder) -> None:
    """How many there were, how long they took, how large the last was, and how many failed."""
    keeper = Keeper(folder, period_s=1.0)
    assert (0, 0, 0.0) == (keeper.n_written, keeper.last_bytes, keeper.last_time_s)
    for n in (1, 2):
        keeper.begin({}, 0.0)
        keeper.saved(0.0, wait=True)
        assert n == keeper.n_written
    assert folder.checkpoint.stat().st_size == keeper.last_bytes
    assert keeper.writing_s > 0
    folder.checkpoint.unlink()
    folder.checkpoint.mkdir()  # a file cannot take its place
    keeper.begin({}, 0.0)
    keeper.saved(0.0, wait=True)
    assert (2, 1) == (keeper.n_written, keeper.n_failed)


def test_a_checkpoint_that_takes_long(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is being written, the next one is overdue from its time on."""
    go_on = threading.Event()
    monkeypatch.setattr(folder, "save", lambda state: go_on.wait(30) and 1)
    keeper = Keeper(folder, period_s=1.0)
    assert 0 == keeper.overdue_s(1_000.0)
    keeper.begin({}, 1_000.0)
    assert 0 == keeper.overdue_s(1_000.5)
    assert 4 == keeper.overdue_s(1_005.0)
    go_on.set()
    keeper.saved(1_005.0, wait=True)
    assert 0 == keeper.overdue_s(2_000.0)
