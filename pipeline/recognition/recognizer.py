"""The core: readings of all phones in; predictions, activities, episodes out. No I/O, no clock.

Two machines, one after the other: `preparation` makes windows of the phones' messages, `judgement`
makes results of the windows. The state of both is arrays over *slots*, one slot a phone (`slots`);
every step works on all phones of a tick at once. A phone's results do not depend on how its samples
were cut into messages and ticks, nor on the other phones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import BlockDelivery
from pipeline.readings import Delivery, Sensor
from pipeline.recognition.judgement.judgement import Judged
from pipeline.recognition.judgement.judgements import Judgements
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.recognition.preparation.preparation import Preparation, Prepared
from pipeline.recognition.preparation.resampler import DEFAULT_LATENESS_S
from pipeline.recognition.results import Change, Episode, Prediction, Recognised
from pipeline.recognition.slots import Slots
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

D = TypeVar("D", Change, Episode)


class StateError(Exception):
    """A saved state belongs to other settings or another model; whoever chose them can mend it."""


State = dict[str, Any]
"""The state of a recognizer: arrays, and small values that MessagePack can hold."""


class Recognizer:
    """The phones' signals, windows and activities, and the models that they share."""

    def __init__(
        self,
        model: Model,
        *,
        model_elsewhere: Model | None = None,
        hop: int,
        filter_start: FilterStart = "steady",
        max_devices: int = 10_000,
        lateness_s: float = DEFAULT_LATENESS_S,
    ) -> None:
        """Begin without phones; there is room for ``max_devices`` at once.

        With ``model_elsewhere`` there are two models: ``model`` is for phones that are known to be
        worn at the waist, as in training, and the other for all others.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        models = [model] if model_elsewhere is None else [model, model_elsewhere]
        self._slots = Slots(max_devices)
        self._preparation = Preparation(
            max_devices,
            hop=hop,
            filter_start=filter_start,
            lateness_s=lateness_s,
            gait=next((model.gait for model in models if model.gait), None),
            frames_at_waist=model.gait is not None,
            needed_at_waist_hz=models[0].needed_rate_hz,
            needed_elsewhere_hz=models[-1].needed_rate_hz,
        )
        self._judgements = Judgements(max_devices, models, hop=hop)
        self._belongs_to: dict[str, Any] = {
            "model": model.identity,
            "activities": list(model.activities),
            "model_elsewhere": model_elsewhere and model_elsewhere.identity,
            "activities_elsewhere": model_elsewhere and list(model_elsewhere.activities),
            "hop": hop,
            "filter_start": filter_start,
            "lateness_s": lateness_s,
        }

    @property
    def counts(self) -> Counter[str]:
        """Since the start: ``samples`` taken and ``gaps``."""
        return self._preparation.counts

    @property
    def devices(self) -> list[str]:
        """Names of the phones that have a state."""
        return self._slots.devices

    def admit(self, device: str) -> None:
        """Give a phone a state unless it has one.

        Raises:
            MessageError: there are ``max_devices`` already.
        """
        self._slots.admit(device)

    def place(
        self, device: str, sign: float, rotation: NDArray[np.float64], *, at_waist: bool = False
    ) -> None:
        """Set how an admitted phone is worn, as `Placement` has it.

        If that is a change, its signals begin anew, unless its samples are prepared. Whether it is
        known to be worn at the waist does not matter where one model is for all phones.
        """
        slot = self._slots.of(device)
        at_waist &= self._judgements.depends_on_placement
        if self._preparation.place(slot, sign, rotation, at_waist=at_waist):
            self._judgements.place_anew([slot])

    def model_of(self, device: str) -> Model:
        """Return the model of an admitted phone, as it is worn by what is known now."""
        at_waist = self._preparation.is_at_waist(self._slots.of(device))
        return self._judgements.model(at_waist=at_waist)

    def lacks(self, device: str) -> list[Sensor]:
        """Return the sensors that an admitted phone's windows still lack."""
        return self._preparation.intake.lacks(self._slots.of(device))

    def rates_hz(self, device: str) -> dict[Sensor, float]:
        """Return how fast the sensors in use of an admitted phone are, in hertz."""
        return self._preparation.intake.rates_hz(self._slots.of(device))

    def problems(self, device: str) -> tuple[str, ...]:
        """Return the problems of an admitted phone's samples, of `PROBLEMS` and `TROUBLES`."""
        return self._problems(self._slots.of(device))

    def knows_upright(self, device: str) -> bool | None:
        """Return whether the upright of an admitted phone's wearer is known.

        None if the phone's model does not take the wearer's frame.
        """
        if self.model_of(device).gait is None:
            return None
        return self._preparation.knows_upright(self._slots.of(device))

    def clocks_apart_s(self, device: str) -> float:
        """Return by how much an admitted phone's accelerometer is ahead of its gyroscope.

        In seconds; 0 if their clocks agree.
        """
        return self._preparation.intake.clocks_apart_s(self._slots.of(device))

    def age_s(self, delivery: Delivery) -> float:
        """Return how old the newest sample of an admitted phone's message was when it came.

        In seconds; 0 if its clock does not show it.
        """
        return self._preparation.intake.age_s(self._slots.of(delivery.device), delivery)

    def has_newer(self, delivery: Delivery) -> bool:
        """Return whether an admitted phone's message goes on behind all that was pushed of it.

        It does not if its samples are repeated or late.
        """
        return self._preparation.intake.has_newer(self._slots.of(delivery.device), delivery)

    def push(
        self, deliveries: Iterable[Delivery], blocks: Iterable[BlockDelivery] = ()
    ) -> Recognised:
        """Return the results of a tick's messages.

        Every phone must have been admitted. All messages of a phone are among the ``deliveries``,
        or all are in one of the ``blocks``.
        """
        by_slot: defaultdict[int, list[Delivery]] = defaultdict(list)
        for delivery in deliveries:
            by_slot[self._slots.of(delivery.device)].append(delivery)
        slots_of_blocks = [(self._slots.of_all(block.devices), block) for block in blocks]
        prepared = self._preparation.push(by_slot, slots_of_blocks)
        self._judgements.reset([slot for slot, _ in prepared.failures])
        return self._recognised(prepared, self._judgements.push(prepared.parts))

    def finish(self, devices: Iterable[str]) -> Recognised:
        """Return the last results of these phones, which have fallen silent."""
        slots = [self._slots.of(device) for device in devices]
        prepared = self._preparation.finish(slots)
        recognised = self._recognised(prepared, self._judgements.push(prepared.parts))
        recognised.episodes.extend(self._named(self._judgements.finish(slots)))
        return recognised

    def forget(self, devices: Iterable[str]) -> None:
        """Drop the state of these phones; there is room for others."""
        slots = self._slots.remove(devices)
        self._preparation.reset(slots)
        self._judgements.reset(slots)

    def state(self) -> State:
        """Return the state of all phones, as of now; nothing in it changes later.

        ``of`` names the models and settings that it belongs to; the other values are about
        ``devices``, in their order.
        """
        slots = self._slots.in_use
        return {
            "of": self._belongs_to,
            "devices": self.devices,
            "preparation": self._preparation.state(slots),
            "judgements": self._judgements.state(slots),
        }

    def restore(self, state: State) -> None:
        """Restore what `state` returned, in place of the present state.

        From then on each phone's samples have the results that they would have had there.

        Raises:
            StateError: it belongs to other settings or another model, or has too many phones.
        """
        made_with, has = _models(state["of"]), _models(self._belongs_to)
        if made_with != has:
            raise StateError(
                f"it was made with {made_with}, but this har-stream has {has}: start it with the "
                "same --model as then, or, if only a version is another, with the har-stream that "
                "it came with"
            )
        for what, expected in self._belongs_to.items():
            if state["of"][what] != expected:
                raise StateError(f"the state is of {what} {state['of'][what]}, not {expected}")
        devices, most = state["devices"], self._slots.n_slots
        if len(devices) > most:
            raise StateError(f"the state has {len(devices)} phones; {most} are taken")
        self.forget(self.devices)
        slots = self._slots.replace(devices)
        self._preparation.restore(slots, state["preparation"])
        self._judgements.restore(slots, state["judgements"])

    def _problems(self, slot: int) -> tuple[str, ...]:
        return (*self._judgements.problems(slot), *self._preparation.intake.troubles(slot))

    def _recognised(self, prepared: Prepared, judged: Sequence[Judged]) -> Recognised:
        """Return the results of both machines, with the devices' names in place of slots."""
        names = self._slots.names
        changed = [slot for results in judged for slot in results.changed]
        changed = list(dict.fromkeys([*changed, *prepared.changed]))
        return Recognised(
            [prediction for results in judged for prediction in self._predictions(results)],
            self._named(change for results in judged for change in results.changes),
            self._named(episode for results in judged for episode in results.episodes),
            [(names[slot], self._problems(slot)) for slot in changed],
            {names[slot]: dropped for slot, dropped in prepared.dropped.items()},
            [(names[slot], error) for slot, error in prepared.failures],
            prepared.faults,
        )

    def _predictions(self, judged: Judged) -> list[Prediction]:
        windows = judged.windows
        ends = windows.starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        names = self._slots.names
        activities, model = judged.model.activities, judged.model.identity
        return [
            Prediction(names[slot], start, end, label, probabilities, settling, activities, model)
            for slot, start, end, label, probabilities, settling, unanswered in zip(
                windows.slots.tolist(),
                windows.starts.tolist(),
                ends.tolist(),
                judged.probabilities.argmax(axis=1).tolist(),
                judged.probabilities,
                windows.settling.tolist(),
                np.isnan(judged.probabilities[:, 0]).tolist(),
                strict=True,
            )
            if not unanswered
        ]

    def _named(self, decided: Iterable[D]) -> list[tuple[str, D]]:
        return [(self._slots.names[decision.slot], decision) for decision in decided]


def _models(of: Mapping[str, Any]) -> str:
    """Return the models in words, of what a state belongs to."""
    if of["model_elsewhere"] is None:
        return f"the model {of['model']} for all phones"
    return (
        f"the models {of['model']} for phones at the waist and {of['model_elsewhere']} for phones "
        "elsewhere"
    )
