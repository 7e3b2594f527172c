import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.home_assistant import BIRTH_TOPIC, announcement_topic, object_id

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


def test_topics() -> None:
    """They are under Home Assistant's default prefix; two announcers never share one."""
    assert "homeassistant/status" == BIRTH_TOPIC
    assert "homeassistant/device/har_phone-7/config" == announcement_topic("har", "phone-7")
    assert announcement_topic("har", "history_p") != announcement_topic("har-history", "p")


def test_object_ids() -> None:
    """Plain names stay as they are; others get a hash, so that none is mistaken for another."""
    assert "phone-7" == object_id("phone-7")
    assert "phone_7_1c670588" == object_id("phone 7")
    assert "phone_7_bdff5c81" == object_id("phone.7")
    assert "phone_7_1c670588_97cd2910" == object_id("phone_7_1c670588")


@given(names, names)
def test_any_two_names(one: str, other: str) -> None:
    """Whatever the names are, the ids are of the letters allowed, and differ if the names do."""
    ids = [object_id(one), object_id(other), object_id(object_id(one))]
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", text) for text in ids)
    assert (one == other) == (ids[0] == ids[1])
    assert (object_id(one) == one) == (ids[0] == ids[2])
