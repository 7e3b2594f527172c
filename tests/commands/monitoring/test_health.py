import json

from pipeline.commands.monitoring.health import report


def test_all_is_well() -> None:
    """Then the status is 200, and each check is named."""
    status, body = report({"broker": lambda: None, "queue": lambda: None})
    assert 200 == status
    assert {"status": "ok", "checks": {"broker": "ok", "queue": "ok"}} == json.loads(body)


def test_one_check_fails() -> None:
    """Then it is 503, with what is wrong beside what is not."""
    status, body = report({"broker": lambda: "no connection", "queue": lambda: None})
    assert 503 == status
    assert json.loads(body) == {
        "status": "failing",
        "checks": {"broker": "no connection", "queue": "ok"},
    }
