"""Names of phones that look alike, begin alike or mean something elsewhere.

Which names there can be is tested in test_device_names.py.
"""

import re
import unicodedata
from urllib.parse import quote

from hypothesis import assume
from hypothesis import strategies as st

from pipeline.readings import MessageError, check_device

NAMES = (
    *("a", "A", "aa", "a.b", "a_b", "a b", "a-b", "a$b", "a\\b", "a%2fb", "á", "a\u0301", " a"),
    *(".", "..", "...", "%2e%2e", "~", "-rf", "{device}", "%s", "(a)", "[a]", "'a'", '"a"'),
    *("har", "status", "samples", "activity", "null", "__proto__", "0", "手机 📱", "a\u200b"),
    *("\u202ea", "x" * 63, "x" * 64, "📱" * 64),
)
"""Phones that begin alike or look alike, and words that mean something elsewhere"""


def usable(name: str) -> bool:
    """Return whether a phone may be called so."""
    try:
        check_device(name)
    except MessageError:
        return False
    return True


@st.composite
def families(draw: st.DrawFn) -> list[str]:
    """Return two to four names of phones, the others made of the first."""
    first = draw(st.sampled_from(NAMES) | st.text(min_size=1, max_size=64).filter(usable))
    letter = st.sampled_from("a._- %\u0301\u200bé📱")
    made = [
        *(first + draw(letter), draw(letter) + first, first[1:], first[:-1], first + first),
        *(first.upper(), first.lower(), quote(first), re.sub(r"\W", "_", first)),
        *(re.sub(r"\W", draw(letter), first), re.sub(r"\W", draw(letter), first)),
        *(first.ljust(63, first[-1]), first.ljust(64, first[-1])),
        *(unicodedata.normalize("NFC", first), unicodedata.normalize("NFKD", first)),
        draw(st.sampled_from(NAMES)),
    ]
    others = [name for name in dict.fromkeys(made) if usable(name) and name != first]
    assume(others)
    return [first, *draw(st.lists(st.sampled_from(others), min_size=1, max_size=3, unique=True))]
