import json
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.mqtt.allowances import UNIT_BYTES
from pipeline.readings import MessageError
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.placement.placements import Placement
from pipeline.recognition.preparation.troubles import TROUBLES
from pipeline.serving.outputs import phone_info
from pipeline.serving.rejections import Rejected, RejectionsOfPhones

PLACEMENT = Placement("android", "assumed", "landscape", 1.0, np.eye(3))
MODEL = "tiny@0badcafe"


def told(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what is published of a phone."""
    known: dict[str, Any] = {
        "name": None,
        "topic": "har/p/samples",
        "format": "native",
        "placement": PLACEMENT,
        "model": MODEL,
        "needed_rate_hz": 30.0,
        "knows_upright": None,
        "calibration": "full",
        "rates_hz": {"motion": 49.9},
        "clocks_apart_s": 0.0,
        "problems": [],
        "lacks": [],
        "rejected": None,
    }
    publication = phone_info.publication("p", **(known | changes))
    assert "har/p/info" == publication.topic
    assert publication.retain
    content: dict[str, Any] = json.loads(publication.payload)
    return content


def test_a_phone_that_is_well() -> None:
    """It says where its samples come from, in which form, how it is worn and how fast it is."""
    assert {
        "device": "p",
        "topic": "har/p/samples",
        "format": "native",
        "convention": "android",
        "convention_by": "assumed",
        "frame": "landscape",
        "placement": "any",
        "placement_by": "assumed",
        "model": MODEL,
        "rates_hz": {"motion": 50},
        "warnings": [],
        "advice": [],
    } == told()


def test_a_name_for_people() -> None:
    """A phone that was given a name says so."""
    assert "Anna's phone" == told(name="Anna's phone")["name"]


def test_where_a_phone_is_worn() -> None:
    """It says how that is known; prepared samples are those of phones at the waist."""
    stated = replace(PLACEMENT, worn_at="waist", worn_at_by="stated")
    assert ("waist", "stated") == where(told(placement=stated))
    assert ("waist", "prepared") == where(told(rates_hz={"prepared": 50.0}))


def where(content: dict[str, Any]) -> tuple[str, str]:
    """Return where a phone is worn, and how that is known."""
    return content["placement"], content["placement_by"]


def test_the_use_of_a_calibration() -> None:
    """It is named where it is not that which a calibration usually has."""
    assert ["waist-only", "none"] == [
        told(calibration=use)["calibration"] for use in ("waist-only", "none")
    ]
    assert "calibration" not in told(calibration="full")


def test_upright() -> None:
    """Where the model needs it: whether it is known, and if not what to do, without a warning."""
    known, unknown = told(knows_upright=True), told(knows_upright=False)
    assert ("known", [], []) == tuple(known[key] for key in ("upright", "warnings", "advice"))
    assert ("unknown", []) == (unknown["upright"], unknown["warnings"])
    assert [phone_info.WALK] == unknown["advice"]


def test_every_problem_has_advice() -> None:
    """Whatever can be wrong is said with what to do, one for one."""
    problems = [
        *(*PROBLEMS, *TROUBLES, phone_info.ALTERNATING),
        *("old-samples", "dropped-messages", "gaps", "fault"),
    ]
    content = told(problems=problems, lacks=["gyroscope"])
    assert [*problems, "no-gyroscope"] == content["warnings"]
    assert len(problems) + 1 == len(content["advice"])
    assert all(len(advice) > 40 for advice in content["advice"])


def test_advice_fits_each_cause() -> None:
    """Long messages flood too, and a rate that is stated too low looks like a second phone."""
    flooding, overlapping = told(problems=["dropped-messages", "two-phones"])["advice"]
    assert f"once for every {UNIT_BYTES // 1024} KiB" in flooding
    assert "10 to 100 in a message" in flooding
    assert "let the app send its true rate" in overlapping


def test_a_low_rate_is_told_with_the_rate_that_is_needed() -> None:
    """That is what the phone's model needs."""
    for needed_rate_hz, expected in ((30.0, "30"), (19.0, "19"), (17.5, "17.5")):
        [advice] = told(problems=["low-rate"], needed_rate_hz=needed_rate_hz)["advice"]
        assert (
            f"a sensor sends too few samples a second: let the app send {expected} or more, which "
            "is enough for the phone's model"
        ) == advice


def test_clocks_apart_are_told_with_the_difference() -> None:
    """By how much, and which is ahead."""
    ahead = told(problems=["clocks-apart"], clocks_apart_s=0.154)
    behind = told(problems=["clocks-apart"], clocks_apart_s=-7200.0)
    assert 0.15 == ahead["clocks_apart_s"]
    assert "the accelerometer is 0.15 s ahead of the gyroscope" in ahead["advice"][0]
    assert "the accelerometer is 7,200.00 s behind the gyroscope" in behind["advice"][0]


def test_rejected_messages() -> None:
    """How many by reason, and why the last one was; also of a phone that is not known otherwise."""
    rejections = RejectionsOfPhones()
    error = MessageError("time", "90000 s ahead of this machine's clock")
    rejections.add("p", error, topic="har/p/samples", format="native", now=0.0)
    rejected = rejections.of("p")
    assert isinstance(rejected, Rejected)
    for content in (
        told(rejected=rejected),
        json.loads(phone_info.of_rejected("p", rejected).payload),
    ):
        assert {"time": 1} == content["rejected"]
        assert ["rejected"] == content["warnings"]
        assert "90000 s ahead" in content["advice"][0]
