from pipeline.recognition.judgement.learnt import Learnt
from tests.recognition.judgement.drawings import PLAIN


def test_learnt_numbers_survive_their_file() -> None:
    """The encoded numbers come back, to five digits."""
    encoded = PLAIN.encode()
    assert encoded == Learnt.decode(encoded).encode()
