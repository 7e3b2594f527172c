"""A phone as a step keeps it from batch to batch: all times, and its messages in short."""

from typing import Self

import msgspec

from pipeline.formats import FORMATS
from pipeline.messages import Publication
from pipeline.serving.outputs import phone_topics
from pipeline.serving.phone import Phone
from pipeline.subscriptions import Route

_SAME = True
"""In place of what is equal to the activity that was published last"""


class FrozenPhone(msgspec.Struct, array_like=True, gc=False):
    """What `Phone` holds, but for what follows from signals and placement."""

    device: str
    format: str
    topic: str
    is_named: bool
    came_on: str | None
    """None for ``topic``"""
    stream: int
    admitted: float
    last_message: float
    received_s: float
    last_live: float
    is_live: bool
    online: bool
    last_classified: float
    classified_until: float
    published_activity: bytes | None
    activity: bytes | bool | None
    unknown: bytes | bool | None
    activity_published: float
    was_there: bool
    info_checksum: int
    info_due: float
    lacks_sensor: bool
    last_problem: float
    last_failure: float

    @classmethod
    def of(cls, device: str, phone: Phone) -> Self:
        """Return what is kept of a phone."""
        published = phone.published_activity

        def short(activity: Publication | None) -> bytes | bool | None:
            if activity is None:
                return None
            return _SAME if activity == published else activity.payload

        return cls(
            device,
            phone.route.format.name,
            phone.route.topic,
            phone.route.device is not None,
            None if phone.topic == phone.route.topic else phone.topic,
            phone.stream,
            phone.admitted,
            phone.last_message,
            phone.received_s,
            phone.last_live,
            phone.is_live,
            phone.online,
            phone.last_classified,
            phone.classified_until,
            None if published is None else published.payload,
            short(phone.activity),
            short(phone.unknown),
            phone.activity_published,
            phone.was_there,
            phone.info_checksum,
            phone.info_due,
            phone.lacks_sensor,
            phone.last_problem,
            phone.last_failure,
        )

    def phone(self) -> Phone:
        """Return the phone; `Presence` knows equal activities by their identity."""
        published = None
        if self.published_activity is not None:
            published = phone_topics.activity_of(self.device, self.published_activity)

        def whole(activity: bytes | bool | None) -> Publication | None:
            if isinstance(activity, bytes):
                return phone_topics.activity_of(self.device, activity)
            return published if activity else None

        device = self.device if self.is_named else None
        return Phone(
            Route(FORMATS[self.format], device, self.topic),
            admitted=self.admitted,
            last_message=self.last_message,
            received_s=self.received_s,
            stream=self.stream,
            topic=self.topic if self.came_on is None else self.came_on,
            last_live=self.last_live,
            is_live=self.is_live,
            online=self.online,
            last_classified=self.last_classified,
            classified_until=self.classified_until,
            activity=whole(self.activity),
            published_activity=published,
            activity_published=self.activity_published,
            was_there=self.was_there,
            unknown=whole(self.unknown),
            info_checksum=self.info_checksum,
            lacks_sensor=self.lacks_sensor,
            last_problem=self.last_problem,
            last_failure=self.last_failure,
        )
