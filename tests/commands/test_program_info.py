import msgspec
import pytest

from pipeline.commands.program_info import ProgramInfo, published_hop


def test_the_hop_comes_back() -> None:
    """Who reads ``har/info`` has the hop that was published."""
    publication = ProgramInfo.of(
        ["tiny@0badcafe"], hop=40, formats=["native", "native"]
    ).publication
    assert "har/info" == publication.topic
    assert publication.retain
    assert 40 == published_hop(publication.payload)
    assert ["native"] == msgspec.json.decode(publication.payload)["formats"]


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"64", b"{}", b'{"hop": 64}', b"\xff"),
        b'{"version": "1", "model": "m", "hop": 0, "window_length": 128, "formats": []}',
        b'{"version": "1", "model": "m", "hop": 129, "window_length": 128, "formats": []}',
    ],
)
def test_what_names_no_hop(payload: bytes) -> None:
    """A message that is none of har-stream's, or that was cleared, names no hop."""
    assert published_hop(payload) is None


def test_what_later_versions_add_is_ignored() -> None:
    """A hop is read whatever else is said."""
    payload = (
        b'{"version": "9", "model": "m", "hop": 32, "window_length": 128, "formats": [], "x": {}}'
    )
    assert 32 == published_hop(payload)
