"""What models for any place on the body are worth on data sets that they were not trained on.

    python -m trainer.selection.left_out_sets

Each set is left out in turn, with all sets that share people with it, and what is trained on the
others is judged by it: other people, another phone, another study. The sets at the waist are of one
study; of them people are left out in groups instead. All of the recipe was chosen by these figures
alone; the test split of UCI HAR has no part in them. They go into the file that `worth` reads.
Probabilities and model of every training are kept, so that what was done before is not done again.
"""

import argparse
import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing, replacing_path
from pipeline.recordings import datasets, hapt, placement_sets, uci_har
from pipeline.vocabulary import FAMILIES
from trainer.commit import source_commit
from trainer.data.any_place import people
from trainer.data.held_out import sets_in_turn
from trainer.data.other_wearers import OtherWearers
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.data.signals import HOP, Signals, signals_of
from trainer.evaluation import best_temperature, tempered
from trainer.json_file import write_json
from trainer.selection.cross_validation import groups
from trainer.selection.worth import FILE, RECIPE, TOGETHER, Frame, Worth, WorthRow, table
from trainer.set_scores import SetScores, set_scores
from trainer.training.processes import each
from trainer.training.recipe import PlacementRecipe

SEEDS: Final = (1, 2, 3)
"""Of the recipe with one family; all else has the first"""
JUDGED_EVERY: Final = 2
"""Every such window is judged: they are 64 samples apart then, as the published ones are"""
N_WAIST_GROUPS: Final = len(groups())
_WAIST: Final = "waist"


@dataclass(frozen=True)
class Way:
    """One way to train."""

    recipe: PlacementRecipe = field(default_factory=PlacementRecipe)
    without: str = ""
    """Study whose sets are left out of all trainings"""


VARIATIONS: Final[dict[str, Way]] = {
    RECIPE: Way(),
    "without the wearer's frame": Way(PlacementRecipe(changes=OtherWearers(frame_known=0.0))),
    "phones and garments as they were": Way(
        PlacementRecipe(
            changes=OtherWearers(
                clean=1.0,
                tilt_deg=0.0,
                yaw_deg=0.0,
                flipped=0.0,
                strength_error=0.0,
                lying_otherwise=0.0,
            )
        )
    ),
    "nobody faster or slower": Way(PlacementRecipe(changes=OtherWearers(slowest=1.0, fastest=1.0))),
    "without PDIoT": Way(without="PDIoT"),
}

ONE: Final = "cnn-lstm"
"""The family with which all is tried"""


@dataclass(frozen=True)
class Job:
    """One training, and the windows that it is judged by."""

    family: str
    variation: str
    held_out: str
    """Sets, or a group of people at the waist"""
    seed: int

    @property
    def file(self) -> Path:
        """The file of its probabilities."""
        key = hashlib.sha256(repr((VARIATIONS[self.variation], self.seed)).encode()).hexdigest()[:8]
        place = self.held_out.replace(", ", "-").replace(" ", "-")
        return datasets.cache_folder() / "left-out-sets" / f"{self.family}-{key}-{place}.npz"

    @property
    def model_file(self) -> Path:
        """The file of the model; it is there if that of the probabilities is."""
        return self.file.with_suffix(".keras")

    @property
    def is_done(self) -> bool:
        """Whether it was done, and all is kept."""
        return self.file.is_file()


@dataclass(frozen=True, eq=False)
class HeldOutWindows:
    """The probabilities of one training for the windows of the people who were left out."""

    data_sets: NDArray[np.str_]
    """``(n,)``: of each window"""
    labels: NDArray[np.int8]
    known: NDArray[np.floating]
    """``(n, n_activities)``: with the wearers' frames"""
    unknown: NDArray[np.floating]
    """The same without"""


@dataclass(frozen=True)
class Places:
    """Where the data are."""

    data: Path | None
    placements: Path
    windows: Path
    """Folder that keeps windows"""


def held_out_people(signals: Signals) -> dict[str, frozenset[str]]:
    """Return who is left out together, by what they are called."""
    at_waist = {str(subject) for group in groups() for subject in group}
    by_set = {
        name: {signals.people[k] for k in np.unique(signals.persons[signals.sets == number])}
        for number, name in enumerate(signals.data_sets)
    }
    return held_out_together({name: some for name, some in by_set.items() if not some & at_waist})


def held_out_together(others: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Return who is left out together, by what they are called, of sets' people by their names.

    The groups of people at the waist are among them.
    """
    return {one.name: one.people for one in sets_in_turn(others)} | {
        f"{_WAIST} {number + 1} of {N_WAIST_GROUPS}": frozenset(map(str, group))
        for number, group in enumerate(groups())
    }


def jobs(signals: Signals) -> list[Job]:
    """Return all trainings.

    The recipe is tried with each family, and with one of them with each seed; the variations with
    that one, on the sets that are left out.
    """
    held_out = held_out_people(signals)
    first, *others = SEEDS
    return [
        *(Job(family, RECIPE, name, first) for family in FAMILIES for name in held_out),
        *(Job(ONE, RECIPE, name, seed) for seed in others for name in held_out),
        *(
            Job(ONE, variation, name, first)
            for variation, way in VARIATIONS.items()
            for name in held_out
            if variation != RECIPE and not name.startswith(_WAIST)
            if not way.without or way.without not in name
        ),
    ]


def done_throughout(jobs: Sequence[Job]) -> list[Job]:
    """Return the trainings of those ways, families and seeds of which all were done."""
    missing = {(job.variation, job.family, job.seed) for job in jobs if not job.is_done}
    return [job for job in jobs if (job.variation, job.family, job.seed) not in missing]


def judged(places: Places, job: Job) -> str:
    """Do one training and keep its probabilities; return a line on it."""
    # With TensorFlow, so in a process alone
    from trainer.training.any_place import apply_placement_recipe, with_channels

    signals = _signals(places)
    variation = VARIATIONS[job.variation]
    is_held_out = signals.of_people(held_out_people(signals)[job.held_out])
    is_of_study = np.array([name.startswith(variation.without) for name in signals.data_sets])
    is_unwanted = is_of_study[signals.sets] & bool(variation.without)
    fitted = apply_placement_recipe(
        variation.recipe,
        job.family,
        signals.chosen(~is_held_out & ~is_unwanted),
        seed=job.seed,
    )
    usable = is_held_out & signals.is_settled & (signals.labels >= 0)
    chosen = np.flatnonzero(usable)[::JUDGED_EVERY]
    windows, frames = with_channels(signals.windows(chosen)), signals.frames[chosen]
    known, unknown = (
        fitted.model.predict([windows, given], batch_size=512, verbose=0)
        for given in (frames, np.zeros_like(frames))
    )
    job.file.parent.mkdir(parents=True, exist_ok=True)
    with replacing_path(job.model_file) as unfinished:
        fitted.model.save(unfinished)
    with replacing(job.file) as file:
        np.savez(
            file,
            data_sets=np.array(signals.data_sets)[signals.sets[chosen]],
            labels=signals.labels[chosen],
            known=known,
            unknown=unknown,
        )
    return f"{job.family}, {job.variation}, without {job.held_out}: {fitted.seconds:.0f} s"


def worth(done: Mapping[Job, HeldOutWindows], activities: Sequence[str]) -> Worth:
    """Return the figures of trainings, at the temperatures that they show to be best.

    Args:
        done: trainings, of each variation, family and seed for all that is held out.
        activities: what probabilities are of.
    """
    parts: dict[tuple[str, str, int], list[HeldOutWindows]] = {}
    for job, one in done.items():
        parts.setdefault((job.variation, job.family, job.seed), []).append(one)
    whole = {key: joined(some) for key, some in parts.items()}
    temperatures = {
        family: temperature_of(one)
        for (variation, family, seed), one in whole.items()
        if (variation, seed) == (RECIPE, SEEDS[0])
    }
    cooled = {
        key: replace(
            one,
            known=tempered(one.known, temperatures[key[1]]),
            unknown=tempered(one.unknown, temperatures[key[1]]),
        )
        for key, one in whole.items()
    }
    of_families = [cooled[RECIPE, family, SEEDS[0]] for family in temperatures]
    if len(of_families) > 1:
        cooled[RECIPE, TOGETHER, SEEDS[0]] = replace(
            of_families[0],
            known=np.mean([one.known for one in of_families], axis=0),
            unknown=np.mean([one.unknown for one in of_families], axis=0),
        )
    seeds: dict[tuple[str, str, str, Frame], list[SetScores]] = {}
    for (variation, family, _), one in cooled.items():
        for name in np.unique(one.data_sets).tolist():
            of_set = one.data_sets == name
            frames: tuple[tuple[Frame, NDArray[np.floating]], ...]
            frames = (("known", one.known), ("unknown", one.unknown))
            for frame, probabilities in frames:
                seeds.setdefault((variation, family, name, frame), []).append(
                    set_scores(probabilities[of_set], one.labels[of_set], activities)
                )
    return Worth(
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        commit=source_commit(),
        temperatures=temperatures,
        rows=tuple(
            WorthRow(
                variation=variation, model=model, data_set=name, frame=frame, seeds=tuple(scores)
            )
            for (variation, model, name, frame), scores in seeds.items()
        ),
    )


def temperature_of(judged: HeldOutWindows) -> float:
    """Return the best temperature for windows with and without their wearers' frames."""
    return best_temperature(
        np.concatenate([judged.known, judged.unknown]), np.concatenate([judged.labels] * 2)
    )


def joined(parts: Sequence[HeldOutWindows]) -> HeldOutWindows:
    """Return the windows of all parts."""
    return HeldOutWindows(
        *(np.concatenate([getattr(one, of.name) for one in parts]) for of in fields(HeldOutWindows))
    )


def kept(job: Job) -> HeldOutWindows:
    """Return the probabilities of a training that was done."""
    with np.load(job.file) as arrays:
        return HeldOutWindows(**arrays)


@cache
def _signals(places: Places) -> Signals:
    sets = placement_sets.find(places.placements)
    at_waist = [
        *hapt.recordings(places.data, TRAINING_SUBJECTS),
        *uci_har.recordings(uci_har.load(places.data).train),
    ]
    return signals_of(people(sets, at_waist, hop=HOP, cache=places.windows))


def main() -> None:
    """Train what has not been trained; print the figures and write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="data sets' folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--placements", type=Path, required=True, help="placement sets' folder")
    parser.add_argument("--done", action="store_true", help="train nothing, take what is there")
    parser.add_argument("--out", type=Path, default=Path(str(files("trainer.selection"))) / FILE)
    options = parser.parse_args()
    folder = datasets.cache_folder() / "left-out-sets"
    places = Places(options.data, options.placements, folder / "windows")
    signals = _signals(places)
    every = jobs(signals)
    if options.done:
        every = done_throughout(every)
    missing = [job for job in every if not job.is_done]
    begun = time.perf_counter()
    for n, line in enumerate(each(judged, places, missing), start=1):
        minutes = (time.perf_counter() - begun) / 60
        print(f"    {n} of {len(missing)} after {minutes:.0f} min: {line}", flush=True)
    result = worth({job: kept(job) for job in every}, signals.activities)
    print(f"{result.date}, commit {result.commit}, temperatures {result.temperatures}")
    print(table(result.rows))
    write_json(options.out, result)


if __name__ == "__main__":
    main()
