import numpy as np
import pytest

from pipeline.readings import Sensor
from pipeline.recognition.preparation.clocks import Clocks
from pipeline.recognition.preparation.continuing_clocks import ContinuingClocks

SENSORS: tuple[Sensor, ...] = ("linear_acceleration", "gravity", "gyroscope")


@pytest.mark.parametrize("n_sensors", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_clocks_in_arrays(n_sensors: int, seed: int) -> None:
    """Message by message they come to what each phone's by themselves do, until they are apart."""
    rng = np.random.default_rng(seed)
    sensors, n_phones, first_slot = SENSORS[-n_sensors:], 6, 3
    alone = [Clocks() for _ in range(n_phones)]
    newest = np.full((n_phones, n_sensors), 1000.0)
    drift = rng.choice([0.0, 0.0, 0.004, -0.01], (n_phones, n_sensors))
    for phone, clocks in enumerate(alone):
        for sensor in sensors:
            clocks.note(sensor, float(newest[phone, 0]))
    together = ContinuingClocks(n_phones + first_slot)
    slots = np.arange(n_phones) + first_slot
    for slot, clocks in zip(slots.tolist(), alone, strict=True):
        together.keep(slot, sensors, clocks)
    in_turn = bool(rng.random() < 0.5)
    for number in range(60):
        of_message = [number % n_sensors] if in_turn else range(n_sensors)
        copies = together.copies(slots, n_sensors)
        for i in of_message:
            step_s = 0.5 * (n_sensors if in_turn else 1)
            newest[:, i] += step_s + rng.normal(scale=0.02, size=n_phones) + drift[:, i]
            copies.note(i, newest[:, i])
            for phone, clocks in enumerate(alone):
                clocks.note(sensors[i], float(newest[phone, i]))
        tolerance_s = rng.uniform(0.1, 0.13, n_phones) + (0.5 * n_sensors if in_turn else 0.0)
        agree = copies.compare(tolerance_s)
        for clocks, tolerance in zip(alone, tolerance_s.tolist(), strict=True):
            clocks.compare(sensors, tolerance)
        assert [clocks.apart_s == 0.0 for clocks in alone] == agree.tolist()
        together.put(slots[agree], copies, agree)
        alone = [clocks for clocks, agrees in zip(alone, agree, strict=True) if agrees]
        slots, newest, drift = slots[agree], newest[agree], drift[agree]
        n_phones = len(slots)
        kept = [together.kept(slot, sensors).state() for slot in slots.tolist()]
        assert [clocks.state() for clocks in alone] == kept
        if not n_phones:
            break
