"""That phones do not get in one another's way, whatever they are called and whatever they send."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.classifier import Classifier
from tests.end_to_end.isolation.names import NAMES, families, usable
from tests.end_to_end.isolation.recognised import EPOCH, Results, message, moving


def test_the_names_here() -> None:
    """Every phone of these tests may be called so, and no two are called the same."""
    assert len(NAMES) == len(set(NAMES))
    assert all(map(usable, NAMES))


@given(
    families(),
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["send", "send", "send", "repeat", "go"])),
        min_size=8,
        max_size=25,
    ),
    st.integers(1, 4),
)
@settings(max_examples=100)
def test_what_is_recognised_is_of_the_phone(
    classifier: Classifier, names: list[str], acts: list[tuple[int, str]], n_messages: int
) -> None:
    """Whatever phones are called and do, each one's results are those that it has alone."""
    together = Results(classifier)
    alone = {name: Results(classifier) for name in names}
    sent = dict.fromkeys(names, 0)
    waiting: list[tuple[str, bytes]] = []

    def push() -> None:
        together.push(*waiting)
        for name in names:
            alone[name].push(*[one for one in waiting if one[0] == f"har/{name}/samples"])
        waiting.clear()

    for number, what in acts:
        name = names[number % len(names)]
        if what == "go":
            push()
            together.forget(name)
            alone[name].forget(name)
            continue
        if what == "repeat":
            sent[name] = max(sent[name] - 1, 0)
        rows = moving(128, seed=100 * names.index(name) + sent[name])
        waiting.append(message(name, rows, start=EPOCH + 2.56 * sent[name]))
        sent[name] += 1
        if len(waiting) >= n_messages:
            push()
    push()

    assert set(together.of) <= set(names)
    for name in names:
        assert set(alone[name].of) <= {name}
        assert alone[name].of[name] == together.of[name]
        np.testing.assert_allclose(
            together.probabilities[name], alone[name].probabilities[name], rtol=0, atol=1e-5
        )
