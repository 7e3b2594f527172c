"""When each phone's info is published: what it sends, how it is worn, what is wrong.

What a message on ``har/<device>/info`` holds is decided in `phone_info`.
"""

from collections.abc import Sequence
from typing import Final

from pipeline.messages import Publication
from pipeline.recognition.judgement.model import Model
from pipeline.serving.calibration_use import calibration_use
from pipeline.serving.outputs import phone_info, phone_topics
from pipeline.serving.phone import Phone, checksum
from pipeline.serving.phones import Phones
from pipeline.serving.presence import WITHOUT_WINDOWS_S
from pipeline.serving.rejections import RejectionsOfPhones

FIRST_SENSORS_S: Final = 3.0
"""Wait so long after a phone's first message before missing sensors are reported."""
NEW_INFO_S: Final = 1.0
"""How often the info of a phone is checked that has just come or has problems."""
INFO_S: Final = 30.0
"""How often the info of a phone is checked that has been there for long."""
PART_OF_AGE: Final = 0.5
"""In between, it is checked after this part of the time since the phone's first message: its rates,
and whether its wearer's upright is known, change less and less."""
LIVE_AGAIN_S: Final = 3.0
"""Samples of a backlog are no problem between live ones that come at least so often."""
DROPPED_S: Final = 60.0
"""How long dropped messages stay in a phone's info."""
FAULT_S: Final = 600.0
"""How long an error of har-stream stays in a phone's info."""


class PhoneInfos:
    """Publishes the infos of all phones."""

    def __init__(
        self,
        phones: Phones,
        models: Sequence[Model],
        rejections: RejectionsOfPhones,
        outgoing: list[Publication],
    ) -> None:
        """Begin; what is to be published is put at the end of ``outgoing``.

        ``models`` is one for all phones, or one for those at the waist and one for the others.
        """
        self._phones = phones
        self._models = models
        self._rejections = rejections
        self._outgoing = outgoing

    def publish_due(self, device: str, phone: Phone, now: float) -> None:
        """Publish an admitted phone's info if it is due and has changed."""
        if now < phone.info_due or now - phone.last_message > INFO_S:
            return
        recognizer = self._phones.recognizer
        rates_hz = recognizer.rates_hz(device)
        is_new = now - phone.admitted < FIRST_SENSORS_S  # a sensor may be yet to come
        lacks = [] if is_new else recognizer.lacks(device)
        phone.lacks_sensor = bool(lacks)
        problems = list(recognizer.problems(device))
        if phone.statements_alternate:
            problems.append(phone_info.ALTERNATING)
        if phone.last_message - phone.last_live > LIVE_AGAIN_S:
            problems.append("old-samples")
        if now - phone.last_dropped < DROPPED_S:
            problems.append("dropped-messages")
        if now - phone.last_failure < FAULT_S:
            problems.append("fault")
        rejected = self._rejections.of(device)
        if problems or lacks or rejected:
            phone.last_problem = now
        elif phone.last_live - max(phone.last_classified, phone.last_problem) > WITHOUT_WINDOWS_S:
            problems.append("gaps")
        name, knows_upright = self._phones.names.of(device), recognizer.knows_upright(device)
        clocks_apart_s = recognizer.clocks_apart_s(device)
        is_well = rates_hz and not (problems or lacks or rejected)
        age_s = now - phone.admitted if is_well else 0.0
        phone.info_due = now + min(max(PART_OF_AGE * age_s, NEW_INFO_S), INFO_S)
        told = hash(
            (
                *(phone.route.topic, phone.route.format.name, phone.n_placed, name, knows_upright),
                *(tuple(problems), tuple(lacks), round(clocks_apart_s, 2)),
                *((sensor, round(rate_hz)) for sensor, rate_hz in rates_hz.items()),
                *(() if rejected is None else (*rejected.counts.items(), rejected.explanation)),
            )
        )
        if told == phone.info_tells:  # most infos that are checked tell nothing new
            return
        phone.info_tells = told
        model = recognizer.model_of(device)
        publication = phone_info.publication(
            device,
            name=name,
            topic=phone.route.topic,
            format=phone.route.format.name,
            placement=self._phones.placements.of(device),
            model=model.identity,
            needed_rate_hz=model.needed_rate_hz,
            knows_upright=knows_upright,
            calibration=calibration_use(device, self._phones.placements, self._models),
            rates_hz=rates_hz,
            clocks_apart_s=clocks_apart_s,
            problems=problems,
            lacks=lacks,
            rejected=rejected,
        )
        if checksum(publication) != phone.info_checksum:
            phone.info, phone.info_checksum = publication, checksum(publication)
            self._outgoing.append(publication)

    def publish_rejections(self, now: float) -> None:
        """Publish of phones that are not admitted why none of their messages is used."""
        for device, rejected in self._rejections.unpublished(now):
            if self._phones.get(device) is None:
                self._outgoing.append(phone_info.of_rejected(device, rejected))
        for device in self._rejections.expire(now):
            phone = self._phones.get(device)
            if phone is None:
                self._outgoing += phone_topics.cleared(device, activity=False, info=True)[1:]
            else:
                phone.info_due = 0.0
