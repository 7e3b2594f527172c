import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.state.checkpoint import VERSION, CheckpointError, StateFolder, decode, encode

STATE = {
    "beliefs": np.linspace(0, 1, 5000),
    "count": np.arange(12).reshape(3, 4),
    "devices": ["phone-1", "фон"],
    "payload": b"\x00\xff",
    "nothing": None,
}


def assert_same(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    """Compare states: arrays by type and bits, other values by ==."""
    assert set(expected) == set(actual)
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            assert (value.dtype, value.shape) == (actual[name].dtype, actual[name].shape)
            assert value.tobytes() == actual[name].tobytes()
        else:
            assert value == actual[name]


@given(
    st.dictionaries(
        st.text(),
        hnp.arrays(
            st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.bool_, np.uint16]),
            hnp.array_shapes(min_dims=1, max_dims=3, min_side=0),
        )
        | st.text()
        | st.binary()
        | st.lists(st.integers(-(2**60), 2**60) | st.none() | st.floats(allow_nan=False)),
    )
)
def test_what_is_encoded_is_decoded(state: dict[str, Any]) -> None:
    """Arrays come back with their bits, shapes and types, other values as they were."""
    assert_same(state, decode(encode(state)))


def test_a_checkpoint_on_disk(tmp_path: Path) -> None:
    """What was saved last is loaded, and nothing else is left in the folder."""
    with StateFolder(tmp_path / "state") as folder:
        assert folder.load() is None
        folder.save({"old": True})
        n_bytes = folder.save(STATE)
        assert n_bytes == folder.checkpoint.stat().st_size
        loaded = folder.load()
        assert loaded is not None
        assert_same(STATE, loaded)
        assert {"checkpoint", "client-id", "lock"} == {one.name for one in folder.path.iterdir()}
        folder.discard()
        assert folder.load() is None
        folder.discard()


def test_the_name_with_the_broker_stays(tmp_path: Path) -> None:
    """The same folder gives the same client id, and two folders give two."""
    with StateFolder(tmp_path / "one") as one, StateFolder(tmp_path / "two") as two:
        first = one.client_id
        assert first != two.client_id
    with StateFolder(tmp_path / "one") as again:
        assert first == again.client_id


def test_a_folder_in_use(tmp_path: Path) -> None:
    """Two programs cannot keep their states in one folder."""
    with StateFolder(tmp_path), pytest.raises(CheckpointError, match="another har-stream"):
        StateFolder(tmp_path)
    with StateFolder(tmp_path):
        pass


def test_a_checkpoint_cut_off_anywhere(tmp_path: Path) -> None:
    """Truncated at every length it is refused with its name, never read in part."""
    with StateFolder(tmp_path) as folder:
        folder.save(STATE)
        data = folder.checkpoint.read_bytes()
        for n_bytes in [*range(100), *range(100, len(data), 1000), len(data) - 1]:
            folder.checkpoint.write_bytes(data[:n_bytes])
            with pytest.raises(CheckpointError, match=r"checkpoint: is (damaged|no checkpoint)"):
                folder.load()


@given(place=st.integers(0, len(encode(STATE)) - 1), bit=st.integers(0, 7))
def test_a_bit_that_is_another(place: int, bit: int) -> None:
    """Each single bit is watched over."""
    data = bytearray(encode(STATE))
    data[place] ^= 1 << bit
    with pytest.raises(CheckpointError):
        decode(bytes(data))


def test_another_version() -> None:
    """A checkpoint of another version is refused by its number."""
    data = bytearray(encode(STATE))
    data[16] = VERSION + 1
    with pytest.raises(CheckpointError, match=f"of version {VERSION + 1}"):
        decode(bytes(data))


def test_a_full_disk_leaves_the_one_before(tmp_path: Path) -> None:
    """When a checkpoint cannot be written, the error passes up and the old one stays."""
    with StateFolder(tmp_path) as folder:
        folder.save({"old": True})
        (tmp_path / ".checkpoint.unfinished").symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left on device"):
            folder.save(STATE)
        assert {"old": True} == folder.load()


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    """A file where the folder should be is told with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="give --state a folder that can be written to"):
        StateFolder(tmp_path / "file")


@pytest.mark.parametrize("found", [b"", b"\xff\xfe", b"a\0b", b"x" * 70_000])
def test_a_damaged_client_id(tmp_path: Path, found: bytes) -> None:
    """With another name what waits at the broker would be lost: that is told, and it is left."""
    (tmp_path / "client-id").write_bytes(found)
    with pytest.raises(CheckpointError, match="client-id: is damaged"):
        StateFolder(tmp_path)
    assert found == (tmp_path / "client-id").read_bytes()


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """What somebody was doing is nobody else's business."""
    with StateFolder(tmp_path / "state") as folder:
        folder.save(STATE)
        assert 0o700 == stat.S_IMODE(folder.path.stat().st_mode)
        assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()}
