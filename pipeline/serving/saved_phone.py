"""A phone as a checkpoint of har-stream keeps it: without times, and its messages in short.

Of a message only the payload is kept, for all else follows from its phone; the activity that is
published is mostly the activity now. Ten thousand of these are made at once while a tick waits.
"""

from typing import Final, Self

import msgspec

from pipeline.formats import FORMATS
from pipeline.messages import Publication
from pipeline.serving.outputs import phone_topics
from pipeline.serving.outputs.phone_info import info_of
from pipeline.serving.phone import Phone, checksum
from pipeline.subscriptions import Route

_SAME: Final = True
"""In place of the activity that was published last, if that is the activity now"""


class SavedPhone(msgspec.Struct, array_like=True, gc=False):
    """What `Phone` holds, but for times and what follows from signals and placement."""

    device: str
    format: str
    topic: str
    is_named: bool
    came_on: str | None
    """None for ``topic``"""
    is_online: bool
    activity: bytes | None
    published_activity: bytes | bool | None
    classified_until: float
    info: bytes | None

    @classmethod
    def of(cls, device: str, phone: Phone) -> Self:
        """Return what is kept of a phone."""
        route, activity, published, info = (
            phone.route,
            phone.activity,
            phone.published_activity,
            phone.info,
        )
        return cls(
            device,
            route.format.name,
            route.topic,
            route.device is not None,
            None if phone.topic == route.topic else phone.topic,
            phone.online,
            None if activity is None else activity.payload,
            None if published is None else _SAME if published is activity else published.payload,
            phone.classified_until,
            None if info is None else info.payload,
        )

    def phone(self, now: float) -> Phone:
        """Return the phone; no time before ``now`` counts as silence."""
        published = self.activity if self.published_activity is _SAME else self.published_activity
        info = None if self.info is None else info_of(self.device, self.info)
        return Phone(
            Route(FORMATS[self.format], self.device if self.is_named else None, self.topic),
            admitted=now,
            last_message=now,
            topic=self.topic if self.came_on is None else self.came_on,
            last_live=now,
            online=self.is_online,
            last_classified=now,
            classified_until=self.classified_until,
            # Two messages, also of one payload: that lets the activity be published anew.
            activity=self._activity(self.activity),
            published_activity=self._activity(published),
            activity_published=now,
            info=info,
            info_checksum=0 if info is None else checksum(info),
        )

    def _activity(self, payload: bytes | bool | None) -> Publication | None:
        if not isinstance(payload, bytes):
            return None
        return phone_topics.activity_of(self.device, payload)


def saved_phones(state: list[object]) -> list[SavedPhone]:
    """Return the phones of a checkpoint that was read."""
    return msgspec.convert(state, list[SavedPhone], builtin_types=(bytes,))
