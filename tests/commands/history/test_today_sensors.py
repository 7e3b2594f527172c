import json

from pipeline.commands.history.today_sensors import discovery, removal
from pipeline.messages import Publication


def test_a_sensor_for_each_activity() -> None:
    """Each is a duration in minutes that is reset at midnight, on the phone's device."""
    announced = discovery("p", ["WALKING_UPSTAIRS", "unknown", "transition"], name="Anna's")
    content = json.loads(announced.payload)
    assert {"identifiers": ["har_p"], "name": "Anna's"}.items() <= content["device"].items()
    assert [{"topic": "har/history"}] == content["availability"]
    assert {
        "WALKING_UPSTAIRS": {
            "platform": "sensor",
            "unique_id": "har-history p WALKING_UPSTAIRS",
            "name": "Walking upstairs today",
            "icon": "mdi:timer-outline",
            "state_topic": "har/p/today",
            "value_template": '{{ value_json.minutes.get("WALKING_UPSTAIRS", 0) }}',
            "device_class": "duration",
            "unit_of_measurement": "min",
            "suggested_display_precision": 0,
            "state_class": "total",
            "last_reset_value_template": "{{ value_json.begin | as_datetime }}",
        }
    } == content["components"]


def test_it_is_an_announcement_beside_har_streams() -> None:
    """Its topic is another for each phone, and none of har-stream's."""
    topics = {discovery(name, [], name=None).topic for name in ("p", "p.", "history_p")}
    assert 3 == len(topics)
    assert not [topic for topic in topics if topic.startswith("homeassistant/device/har_")]
    taken_back = Publication("homeassistant/device/har-history_p/config", b"", retain=True)
    assert taken_back == removal("p")
