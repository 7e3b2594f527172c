import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recognition.preparation.start_rings import StartRings
from pipeline.recognition.preparation.starts import N_STARTS, Starts
from pipeline.state.checkpoint import decode, encode

EPOCH = 1698501144.4
NEAR = [0.02, 0.1, 0.5, 1.0 + 2.0**-22, 3.9]
"""Seconds from one message to the next of which 256 fit"""
FAR = [4.1, 60.0, 600.0, 86400.0, -0.3, -3600.0]
"""And of which they do not, or not with others"""
CLOCKS = [EPOCH, 4321.000123, 0.0, -5.5]


def remembered(starts: Starts) -> list[float]:
    """Return the starts that are remembered, in the order of their ring."""
    return starts.ring[: starts.count].tolist()


def append(rings: StartRings, mirrors: list[Starts], of_phone: list[list[float]]) -> None:
    """Append messages of each phone to the rings, and to those that hold them whole."""
    slots = np.array([slot for slot, starts in enumerate(of_phone) if starts], np.intp)
    rings.append(
        slots,
        np.array([len(of_phone[slot]) for slot in slots], np.intp),
        np.array([start for starts in of_phone for start in starts]),
    )
    for mirror, starts in zip(mirrors, of_phone, strict=True):
        for start in starts:
            mirror.append(start)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost(data: st.DataObject) -> None:
    """Whatever came, kept anew and restored at any moment, each ring is what `Starts` has."""
    n_phones = data.draw(st.integers(1, 3))
    rings, mirrors = StartRings(n_phones), [Starts() for _ in range(n_phones)]
    now = [data.draw(st.sampled_from(CLOCKS)) for _ in range(n_phones)]
    for slot, mirror in enumerate(mirrors):
        rings.keep(slot, mirror)
    for _ in range(data.draw(st.integers(1, 8))):
        n_messages = data.draw(st.sampled_from([1, 1, 3, 100, 300]))
        ticks = data.draw(st.sampled_from([1, 2, 40]))
        steps = [data.draw(st.sampled_from(NEAR + NEAR + FAR)) for _ in range(n_phones)]
        for _ in range(ticks):
            of_phone = [
                [now[slot] + step * nth for nth in range(1, 1 + n_messages)]
                if n_phones == 1 or data.draw(st.booleans())
                else []
                for slot, step in enumerate(steps)
            ]
            now = [starts[-1] if starts else now[slot] for slot, starts in enumerate(of_phone)]
            if any(of_phone):
                append(rings, mirrors, of_phone)
        if data.draw(st.booleans()):
            slot = data.draw(st.integers(0, n_phones - 1))
            rings.keep(slot, rings.release(slot))
        if data.draw(st.booleans()):
            order = np.array(data.draw(st.permutations(range(n_phones))))
            saved = decode(encode(rings.state(order)))
            rings = StartRings(n_phones)
            rings.restore(np.arange(n_phones), saved)
            mirrors, now = [mirrors[slot] for slot in order], [now[slot] for slot in order]

    assert [remembered(mirror) for mirror in mirrors] == [
        remembered(rings.release(slot)) for slot in range(n_phones)
    ]


def test_starts_that_fit_are_kept_in_half_the_bytes() -> None:
    """A phone that goes on has no ring kept whole, for hours and with messages of up to 3.9 s."""
    for step_s in NEAR:
        rings, mirrors = StartRings(1), [Starts()]
        rings.keep(0, mirrors[0])
        for number in range(2000):
            append(rings, mirrors, [[EPOCH + number * step_s]])
            assert [] == rings.state(np.array([0]))["whole"]
        assert remembered(mirrors[0]) == remembered(rings.release(0))


def test_what_does_not_fit_is_kept_whole_while_it_is_remembered() -> None:
    """Behind an hour of silence the starts before it are kept whole, until none is left."""
    rings, mirrors = StartRings(1), [Starts()]
    rings.keep(0, mirrors[0])
    append(rings, mirrors, [[EPOCH - 3600 + number for number in range(N_STARTS)]])
    for number in range(N_STARTS + 1):
        append(rings, mirrors, [[EPOCH + number]])
        assert (number < N_STARTS) == bool(rings.state(np.array([0]))["whole"])
    assert remembered(mirrors[0]) == remembered(rings.release(0))
