from pathlib import Path

import pytest

from tests.benchmarks import wearer_frames
from tests.benchmarks.figures import Options


def test_who_walks_is_known_and_who_stands_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each activity has three figures; without recordings, simulated people do it."""
    for name, value in {"PHONES": 4, "PHONES_A_TICK": 2, "BEFORE": 40, "ROUNDS": 10}.items():
        monkeypatch.setattr(wearer_frames, name, value)
    options = Options(tmp_path, models=[], seconds=1.0, training=False, full=False, json=None)
    figures = {figure.name: figure for figure in wearer_frames.measure(options)}
    assert [
        f"{activity}, {what}"
        for activity in ("STANDING", "WALKING")
        for what in ("without frames", "frames learnt", "learning")
    ] == list(figures)
    for activity, n_known in (("STANDING", 0), ("WALKING", 4)):
        assert f"{n_known} of 4 uprights known" in figures[f"{activity}, frames learnt"].detail
