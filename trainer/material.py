"""What the trainings of a run share: the plan, and all that there is to learn from.

The models of the training placement learn from UCI HAR and HAPT alone; those for any place on the
body (`ANY`) from placement sets as well, and they know `PLACEMENT_ACTIVITIES`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from pipeline.models.trained_on import TrainedOn
from pipeline.recordings import uci_har
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES, ANY
from trainer import data_sets
from trainer.data.any_place import people
from trainer.data.kept_windows import cache_beside
from trainer.data.raw_recordings import RawRecordings
from trainer.data.recorded_windows import RecordedWindows
from trainer.data.signals import HOP
from trainer.data.user_recordings import UserWindows
from trainer.plan import TrainingPlan
from trainer.records import Recipe
from trainer.selection.shipped import placement_recipe_for, recipe_for
from trainer.training.fitted import Progress, versions


@dataclass(frozen=True, eq=False)
class Material:
    """The inputs that all trainings of a run share."""

    plan: TrainingPlan
    data: DataSet
    user: UserWindows | None
    raw: RawRecordings
    """If there are none, models of the training placement learn from the published windows"""
    sets: Sequence[PlacementSet]
    """For models for any place on the body"""
    progress: Progress
    """Works in whatever process"""

    def activities(self, model: str) -> tuple[str, ...]:
        """Return the activities that a model distinguishes, by its name."""
        known = PLACEMENT_ACTIVITIES if model.endswith(ANY) else ACTIVITIES
        new = () if self.user is None else self.user.activities
        return (*known, *(name for name in new if name not in known))

    def data_sets(self, model: str) -> tuple[TrainedOn, ...]:
        """Return the data sets that a model is trained on, by its name.

        Raises:
            DataError: a placement set does not say what its licence is.
        """
        learnt_from: list[TrainedOn] = []
        if self.raw.recordings:
            learnt_from.append(data_sets.hapt(self.raw.data_hash))
        if model.endswith(ANY) or not self.raw.recordings:
            learnt_from.append(data_sets.uci_har(self.data.data_hash))
        return (*learnt_from, *map(data_sets.placement_set, self._sets_for(model)))

    def data_hash(self, model: str) -> str:
        """Return the hashes of all that a model is trained on, joined by ``+``, by its name."""
        of_user = [] if self.user is None else [self.user.data_hash]
        of_sets = [one.data_hash for one in self._sets_for(model)]
        return "+".join([self.data.data_hash, *of_sets, *of_user])

    def recipe(self, model: str) -> Recipe:
        """Return all that decides a model's weights, besides its family and the seed."""
        recipe: Recipe = {
            "settings": asdict(self.plan.fitting) | asdict(self.plan.sizes),
            "data_hash": self.data.data_hash,
            "versions": versions(),
        }
        if model.endswith(ANY):
            recipe |= {
                "any_place": asdict(placement_recipe_for(model)),
                "raw_recordings_hash": self.raw.data_hash,
                "placements": {one.name: one.data_hash for one in self.sets},
            }
        elif self.plan.recipe == "raw":
            recipe |= {
                "raw": asdict(recipe_for(model)),
                "raw_recordings": bool(self.raw.recordings),
            }
        if self.user is not None:
            recipe |= {"user_recordings_hash": self.user.data_hash, "frame": self.plan.frame}
        return recipe

    def people_anywhere(self) -> Iterator[RecordedWindows]:
        """Yield the windows that models for any place on the body learn from, by person.

        At the waist they are of the raw recordings, and the published ones, which their authors
        cut otherwise. User recordings are each of a person of their own.

        Raises:
            DataError: a file of a placement set is damaged, or not as it should be.
        """
        activities = self.activities(ANY)
        at_waist = [*self.raw.recordings, *uci_har.recordings(self.data.train)]
        cache = cache_beside(self.plan.out)
        for person in people(self.sets, at_waist, hop=HOP, cache=cache):
            yield replace(person, activities=activities)
        if self.user is not None:
            yield from self.user.people(activities, hop=HOP)

    def _sets_for(self, model: str) -> Sequence[PlacementSet]:
        return self.sets if model.endswith(ANY) else ()
