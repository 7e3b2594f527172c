"""Who is held out of a training together: people out of all sets, or a set with all its people.

Rules: nobody is both held out and trained on, whichever sets they are in; `ALIKE` are never parted;
and sets that share people, as those of one study do, are left out together.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from scipy.cluster.hierarchy import DisjointSet

from pipeline.recordings.placement_sets import ALIKE


@dataclass(frozen=True)
class HeldOut:
    """People who are left out of a training, to be judged by what it learnt."""

    name: str
    """``group 1 of 5``, or the sets, ``PDIoT_chest, PDIoT_pocket``"""
    people: frozenset[str]


def groups_of_people(people: Mapping[str, Collection[str]], *, n_groups: int) -> Iterator[HeldOut]:
    """Yield groups that hold out each person once, of each set about as many.

    Args:
        people: those of each set, by its name.
        n_groups: how many.

    Raises:
        ValueError: there are fewer people who can be parted.
    """
    sets_of: dict[str, list[str]] = {}
    for name in sorted(people):
        for person in people[name]:
            sets_of.setdefault(person, []).append(name)
    inseparable = sorted(
        _inseparable(sets_of).subsets(), key=lambda some: (sets_of[min(some)], min(some))
    )
    if len(inseparable) < n_groups:
        raise ValueError(f"{len(inseparable)} people cannot be in {n_groups} groups")
    for number in range(n_groups):
        dealt = inseparable[number::n_groups]
        yield HeldOut(f"group {number + 1} of {n_groups}", frozenset().union(*dealt))


def sets_in_turn(people: Mapping[str, Collection[str]]) -> Iterator[HeldOut]:
    """Yield each set's people once, with those of the sets that share some with it.

    Args:
        people: those of each set, by its name.
    """
    persons = _inseparable({person for some in people.values() for person in some})
    together = DisjointSet(people)
    first_with: dict[str, str] = {}
    for name, some in people.items():
        for person in some:
            together.merge(name, first_with.setdefault(persons[person], name))
    for names in sorted(sorted(some) for some in together.subsets()):
        everybody = frozenset().union(*(people[name] for name in names))
        yield HeldOut(", ".join(names), everybody)


def _inseparable(people: Collection[str]) -> "DisjointSet[str]":
    """Return people with those who are never parted merged."""
    parted = DisjointSet(people)
    for some in ALIKE:
        present = [person for person in sorted(some) if person in parted]
        for person in present[1:]:
            parted.merge(present[0], person)
    return parted
