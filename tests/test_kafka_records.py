import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka_records import Origin, origin_of


@given(
    st.binary(min_size=1).filter(lambda run: b"/" not in run),
    st.integers(0, 10**6),
    st.integers(0, 10**18 - 1),
)
def test_origins_are_read(run: bytes, bucket: int, number: int) -> None:
    """Run and bucket are told apart from the number, whatever the run is called."""
    header = b"%b/%d/%d" % (run, bucket, number)
    assert Origin(b"%b/%d" % (run, bucket), number) == origin_of(header)


@pytest.mark.parametrize("header", [b"", b"7", b"a/7", b"a/b/", b"a/b/-1", b"a/b/x", b"a/b/1.0"])
def test_what_is_no_origin(header: bytes) -> None:
    """It is an error, not a guess."""
    with pytest.raises(ValueError, match="not RUN/BUCKET/N"):
        origin_of(header)


def test_a_number_without_end() -> None:
    """A number that no run can come to is none."""
    with pytest.raises(ValueError, match="not RUN/BUCKET/N"):
        origin_of(b"a/b/" + b"9" * 5_000)
