"""The trainings themselves take minutes: how they are dealt out and judged is tried here."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import FAMILIES
from trainer.data.signals import Signals
from trainer.selection import left_out_sets
from trainer.selection.cross_validation import groups
from trainer.selection.worth import RECIPE, TOGETHER, Worth, table

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def signals() -> Signals:
    """Signals of all at the waist, and of two sets of one study that share a person."""
    at_waist = sorted({str(subject) for group in groups() for subject in group})
    owners = [("HAPT", person) for person in at_waist]
    owners += [("One_pocket", "One/a"), ("One_chest", "One/a"), ("One_chest", "One/b")]
    owners += [("Other_hand", "Other/c")]
    names = sorted({name for name, _ in owners})
    people = sorted({person for _, person in owners})
    n = len(owners)
    return Signals(
        np.zeros((128, 6), np.float32),
        PLACEMENT_ACTIVITIES,
        tuple(names),
        tuple(people),
        first=np.zeros(n, np.int64),
        bounds=np.tile([0, 128], (n, 1)),
        labels=np.zeros(n, np.int8),
        is_stairs=np.zeros(n, np.bool_),
        is_settled=np.ones(n, np.bool_),
        frames=np.zeros((n, 10), np.float32),
        sets=np.array([names.index(name) for name, _ in owners]),
        persons=np.array([people.index(person) for _, person in owners]),
        on_leg=np.zeros(n, np.bool_),
    )


def test_nobody_is_judged_by_what_learnt_from_them(signals: Signals) -> None:
    """Sets that share people are left out together; at the waist people are, in groups."""
    held_out = left_out_sets.held_out_people(signals)
    expected = {"One_chest, One_pocket", "Other_hand", *(f"waist {k} of 5" for k in range(1, 6))}
    assert expected == set(held_out)
    assert {"One/a", "One/b"} == held_out["One_chest, One_pocket"]
    assert sorted(signals.people) == sorted(person for some in held_out.values() for person in some)


def test_jobs(signals: Signals) -> None:
    """All families and seeds of one try the recipe; the rest is tried with one, on sets alone."""
    jobs = left_out_sets.jobs(signals)
    assert len(jobs) == len({job.file for job in jobs})
    of_recipe = [job for job in jobs if job.variation == RECIPE]
    assert (len(FAMILIES) + len(left_out_sets.SEEDS) - 1) * 7 == len(of_recipe)
    others = [job for job in jobs if job.variation != RECIPE]
    first = left_out_sets.SEEDS[0]
    assert {("cnn-lstm", first)} == {(job.family, job.seed) for job in others}
    assert {"One_chest, One_pocket", "Other_hand"} == {job.held_out for job in others}


def test_sets_and_their_people_are_enough_to_say_who_is_left_out(signals: Signals) -> None:
    """Who is left out together is the same without signals."""
    sets = {"One_pocket": {"One/a"}, "One_chest": {"One/a", "One/b"}, "Other_hand": {"Other/c"}}
    expected = left_out_sets.held_out_people(signals)
    assert expected == left_out_sets.held_out_together(sets)


def test_what_was_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training is done once its probabilities are there; they come back as they were."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    job = left_out_sets.Job("lstm", RECIPE, "Made", 1)
    assert not job.is_done
    job.file.parent.mkdir(parents=True)
    one = judged(2, known=0.9)
    np.savez(job.file, **vars(one))
    assert job.is_done
    for name, array in vars(one).items():
        np.testing.assert_array_equal(array, getattr(left_out_sets.kept(job), name))


def judged(wrong: int, *, known: float) -> object:
    """Return probabilities for ten windows of a set, so many wrong, so sure with the frame."""
    labels = np.zeros(10, np.int8)
    sure = np.full((10, 7), (1 - known) / 6)
    sure[np.arange(10), np.where(np.arange(10) < wrong, 3, 0)] = known
    return left_out_sets.HeldOutWindows(
        np.array(["Made"] * 10), labels, sure, np.full((10, 7), 1 / 7)
    )


def test_figures_of_trainings() -> None:
    """Seeds of one way are one row; families are judged together too; temperatures are learnt."""
    done: Mapping[object, object] = {
        left_out_sets.Job(family, RECIPE, "Made", seed): judged(wrong, known=0.99)
        for family, wrong in zip(FAMILIES, (4, 4, 0), strict=True)
        for seed in left_out_sets.SEEDS
    }
    worth: Worth = left_out_sets.worth(done, PLACEMENT_ACTIVITIES)
    rows = {(row.model, row.frame): row for row in worth.rows}
    of_lstm = rows["lstm", "known"]
    assert (3, 0.6) == (len(of_lstm.seeds), of_lstm.mean("balanced_accuracy"))
    assert 1 == len(rows[TOGETHER, "known"].seeds)
    assert of_lstm.mean("stairs") is None
    assert worth.temperatures["lstm"] > 1 > worth.temperatures["conv-lstm"]
    assert 1 + 2 * 4 == len(table(worth.rows).splitlines())
