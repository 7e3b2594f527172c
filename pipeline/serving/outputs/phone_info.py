"""The message on ``har/<device>/info``: what a phone sends, how it is worn, and what is wrong.

When it is published is decided in `phone_infos`.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from pipeline.messages import Publication
from pipeline.readings import Sensor
from pipeline.recognition.judgement.sanity_checks.problems import ADVICE
from pipeline.recognition.placement.placements import Placement
from pipeline.recognition.placement.statements import HELD_S
from pipeline.serving.calibration_use import CalibrationUse
from pipeline.serving.rejections import Rejected

ALTERNATING: Final = "alternating-placement"
WARNINGS: Final = ADVICE | {
    "low-rate": "a sensor sends too few samples a second: let the app send {needed_rate_hz:g} or "
    "more, which is enough for the phone's model",
    "clocks-apart": "the times of accelerometer and gyroscope do not belong together: let the app "
    "use one clock for both",
    "two-phones": "samples of two phones come under this name, or of one whose messages state a "
    "lower rate than it has, so that each reaches into the next: give each phone a name of its "
    "own, or let the app send its true rate, or a time for each sample",
    "late-samples": "samples come that are older than others before, and are left out: two phones "
    "under one name, a backlog sent among live samples, or messages that overtake by more than "
    "--lateness",
    "short-recordings": "every few messages name another recording, and no 2.56 s are of one: let "
    "the app keep the recording's or session's name while it sends",
    ALTERNATING: f"its messages state one placement and soon another: it keeps the one "
    f"of before until another has stood for {HELD_S:.0f} s of samples; let the app state one, give "
    "two phones names of their own, or set --placement",
    "old-samples": "the newest samples are older than --max-behind: a backlog, a replay that is "
    "faster than it was made, or the phone's clock is behind; what is recognised has the samples' "
    "times, and there is no activity now",
    "dropped-messages": "the oldest of its messages were dropped: it sent 10,000 at once and more "
    "than 2,500 a second after that, where a long one counts once for every 4 KiB, or at QoS 0 "
    "more than can wait; let the app send each sample once, 10 to 100 in a message, at QoS 1",
    "gaps": "no 2.56 s of samples come without a pause of over half a second: is the connection "
    "bad, or does the phone save energy?",
    "fault": "har-stream failed on samples of this phone and began anew with it: please report "
    "what its log says",
}
"""For each problem of a phone's samples, its sign and what to do; `advice_on` fills in the rate."""

NO_SENSOR: Final = (
    "accelerometer, with gravity, and gyroscope are both needed: switch it on in the app"
)

WALK: Final = "walk ten steps: then sitting, standing and lying are told apart more surely"


class _Info(msgspec.Struct, omit_defaults=True):
    device: str
    topic: str
    format: str
    name: str | msgspec.UnsetType = msgspec.UNSET
    convention: str | msgspec.UnsetType = msgspec.UNSET
    convention_by: str | msgspec.UnsetType = msgspec.UNSET
    frame: str | msgspec.UnsetType = msgspec.UNSET
    placement: str | msgspec.UnsetType = msgspec.UNSET
    placement_by: str | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType = msgspec.UNSET
    upright: Literal["known", "unknown"] | msgspec.UnsetType = msgspec.UNSET
    calibration: Literal["waist-only", "none"] | msgspec.UnsetType = msgspec.UNSET
    rates_hz: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    clocks_apart_s: float | msgspec.UnsetType = msgspec.UNSET
    rejected: dict[str, int] = {}
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET
    advice: list[str] | msgspec.UnsetType = msgspec.UNSET


def advice_on(problem: str, *, needed_rate_hz: float) -> str:
    """Return the sign of a problem, a word of `WARNINGS`, and what to do.

    ``needed_rate_hz`` is what the phone's model needs.
    """
    return WARNINGS[problem].format(needed_rate_hz=needed_rate_hz)


def publication(
    device: str,
    *,
    name: str | None,
    topic: str,
    format: str,
    placement: Placement,
    model: str,
    needed_rate_hz: float,
    knows_upright: bool | None,
    calibration: CalibrationUse,
    rates_hz: dict[Sensor, float],
    clocks_apart_s: float,
    problems: Sequence[str],
    lacks: Sequence[Sensor],
    rejected: Rejected | None,
) -> Publication:
    """Return what is published of a phone, retained.

    Args:
        device: its name.
        name: how it is shown, None for as it is named.
        topic: where its samples come.
        format: of its messages.
        placement: how it is worn.
        model: name and version of the model that classifies its windows.
        needed_rate_hz: samples a second that this model needs of a sensor.
        knows_upright: whether its wearer's upright is known, None if no model needs it.
        calibration: of what use one would be, or is.
        rates_hz: samples a second of the sensors in use.
        clocks_apart_s: seconds by which its accelerometer is ahead of its gyroscope.
        problems: words of `WARNINGS`.
        lacks: sensors still missing.
        rejected: its messages that were rejected lately.
    """
    warnings = list(problems)
    advice = [advice_on(problem, needed_rate_hz=needed_rate_hz) for problem in problems]
    if clocks_apart_s and "clocks-apart" in problems:
        at = warnings.index("clocks-apart")
        where = "behind" if clocks_apart_s < 0 else "ahead of"
        seconds = f"{abs(clocks_apart_s):,.2f} s"
        advice[at] = f"the accelerometer is {seconds} {where} the gyroscope: {advice[at]}"
    for sensor in lacks:
        warnings.append(f"no-{sensor.replace('_', '-')}")
        advice.append(NO_SENSOR)
    info = _Info(
        device,
        topic,
        format,
        msgspec.UNSET if name is None else name,
        placement.convention,
        placement.convention_by,
        placement.frame,
        *_body_place(placement, rates_hz),
        model,
        msgspec.UNSET if knows_upright is None else "known" if knows_upright else "unknown",
        msgspec.UNSET if calibration == "full" else calibration,
        {sensor: round(rate) for sensor, rate in sorted(rates_hz.items())},
        round(clocks_apart_s, 2) or msgspec.UNSET,
    )
    return _publication(info, warnings, advice, rejected)


def _body_place(placement: Placement, rates_hz: Iterable[Sensor]) -> tuple[str, str]:
    """Return where a phone is worn and how that is known; prepared samples are of the waist."""
    if "prepared" in rates_hz:
        return "waist", "prepared"
    return placement.worn_at, placement.worn_at_by


def of_rejected(device: str, rejected: Rejected) -> Publication:
    """Return what is published, retained, of a phone of which no message could be used."""
    return _publication(_Info(device, rejected.topic, rejected.format), [], [], rejected)


def _publication(
    info: _Info, warnings: list[str], advice: list[str], rejected: Rejected | None
) -> Publication:
    if rejected is not None:
        info.rejected = dict(sorted(rejected.counts.items()))
        warnings.append("rejected")
        advice.append(f"messages are rejected, the last because: {rejected.explanation}")
    if info.upright == "unknown":
        advice.append(WALK)  # behind those of the warnings: nothing is wrong
    info.warnings, info.advice = warnings, advice
    return info_of(info.device, msgspec.json.encode(info))


def info_of(device: str, payload: bytes) -> Publication:
    """Return the message of an info with this payload, retained."""
    return Publication(f"har/{device}/info", payload, retain=True)
