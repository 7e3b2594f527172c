from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recordings import placement_sets
from trainer.data.held_out import groups_of_people, sets_in_turn

PEOPLE = {
    "PDIoT_pocket": {f"PDIoT/pdiot_s{number}" for number in range(50, 80)},
    "PDIoT_chest": {f"PDIoT/pdiot_s{number}" for number in range(60, 90)},
    "MotionSense": {f"MotionSense/motionsense_{number:02d}" for number in range(1, 25)},
    "IndoorSurvey_hand": {"IndoorSurvey/unknown"},
}
"""Of four sets"""

some_people = st.dictionaries(
    st.sampled_from(["A", "B_pocket", "B_chest", "PDIoT_chest", "PDIoT_pocket"]),
    st.sets(st.sampled_from([f"PDIoT/pdiot_s{n}" for n in range(52, 70)]), min_size=1),
    min_size=1,
)


def test_sets_of_one_study_leave_together() -> None:
    """Each set is left out once, with all its people."""
    found = list(sets_in_turn(PEOPLE))
    assert ["IndoorSurvey_hand", "MotionSense", "PDIoT_chest, PDIoT_pocket"] == [
        held_out.name for held_out in found
    ]
    both = PEOPLE["PDIoT_pocket"] | PEOPLE["PDIoT_chest"]
    assert [PEOPLE["IndoorSurvey_hand"], PEOPLE["MotionSense"], both] == [
        held_out.people for held_out in found
    ]


def test_sets_that_share_recordings_leave_together() -> None:
    """By a fault of their set two people have the same recordings."""
    people = {"A": {"PDIoT/pdiot_s54"}, "B": {"PDIoT/pdiot_s68"}, "C": {"PDIoT/pdiot_s60"}}
    assert ["A, B", "C"] == [held_out.name for held_out in sets_in_turn(people)]


def test_groups_have_some_of_each_set() -> None:
    """Their numbers of people of a set differ by two at most, where people may be in two sets."""
    groups = list(groups_of_people(PEOPLE, n_groups=5))
    assert [f"group {number} of 5" for number in range(1, 6)] == [one.name for one in groups]
    for name in ("MotionSense", "PDIoT_pocket", "PDIoT_chest"):
        counts = [len(one.people & PEOPLE[name]) for one in groups]
        assert max(counts) - min(counts) <= 2


@given(people=some_people, n_groups=st.integers(1, 6))
def test_nobody_is_in_two_groups(people: dict[str, set[str]], n_groups: int) -> None:
    """All are held out once, those who share recordings together, in groups of any number."""
    everybody = frozenset().union(*people.values())
    alike = sum(len(pair & everybody) - 1 for pair in placement_sets.ALIKE if pair & everybody)
    if len(everybody) - alike < n_groups:
        with pytest.raises(ValueError, match=f"cannot be in {n_groups} groups"):
            list(groups_of_people(people, n_groups=n_groups))
        return
    groups = [one.people for one in groups_of_people(people, n_groups=n_groups)]
    assert sorted(everybody) == sorted(person for group in groups for person in group)
    assert all(groups)
    for pair in placement_sets.ALIKE:
        assert sum(bool(pair & group) for group in groups) <= 1


@given(people=some_people)
def test_nobody_is_held_out_and_trained_on(people: dict[str, set[str]]) -> None:
    """What is left when sets leave has none of their people, nor who shares recordings."""
    held_out = list(sets_in_turn(people))
    assert sorted(people) == sorted(name for one in held_out for name in one.name.split(", "))
    for one in held_out:
        left = frozenset().union(
            *(some for name, some in people.items() if name not in one.name.split(", "))
        )
        assert not left & one.people
        for pair in placement_sets.ALIKE:
            assert not (pair & left and pair & one.people)


def test_the_order_of_sets_and_people_does_not_matter() -> None:
    """The same people are in the same groups."""
    other = {name: sorted(PEOPLE[name], reverse=True) for name in reversed(PEOPLE)}
    assert list(groups_of_people(PEOPLE, n_groups=4)) == list(groups_of_people(other, n_groups=4))
    assert list(sets_in_turn(PEOPLE)) == list(sets_in_turn(other))


def test_the_real_sets_in_turn(data_dir: Path) -> None:
    """The two of one study leave together, and the survey's unknown people stay together."""
    if not (data_dir / "placements").is_dir():
        pytest.skip("needs the real placement sets in HAR_DATA_DIR/placements")
    people = {one.name: one.people for one in placement_sets.find(data_dir / "placements")}
    assert [
        "IndoorSurvey_hand", "MotionSense", "PDIoT_chest, PDIoT_pocket", "WISDM2019_phone"
    ] == [held_out.name for held_out in sets_in_turn(people)]  # fmt: skip
    groups = list(groups_of_people(people, n_groups=5))
    for name in ("MotionSense", "PDIoT_pocket", "PDIoT_chest", "WISDM2019_phone"):
        counts = [len(one.people & people[name]) for one in groups]
        assert max(counts) - min(counts) <= 2
