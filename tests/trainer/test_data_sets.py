from pathlib import Path

from pipeline.recordings import placement_sets
from tests.made_sets import LICENCE, write_set
from trainer import data_sets


def test_the_licence_of_weights(tmp_path: Path) -> None:
    """Of each placement set it says what its owners say; of the others what it always said."""
    write_set(tmp_path / "Made_pocket", ("s1",))
    one = data_sets.placement_set(placement_sets.open_set(tmp_path / "Made_pocket"))
    assert ("Made_pocket", LICENCE, 16) == (one.name, one.licence, len(one.hash))
    assert data_sets.UCI_HAR_LICENCE == data_sets.licence([])
    expected = f"{data_sets.UCI_HAR_LICENCE} What these data sets demand holds too: "
    assert f"{expected}Made_pocket: {LICENCE}" == data_sets.licence([one])


def test_data_sets_of_the_training_placement() -> None:
    """Both say that they are not for commercial use, and whom to cite."""
    for one, name in ((data_sets.uci_har("0123"), "UCI HAR"), (data_sets.hapt("0123"), "HAPT")):
        assert (name, "0123") == (one.name, one.hash)
        assert "commercial use is prohibited; cite " in one.licence
