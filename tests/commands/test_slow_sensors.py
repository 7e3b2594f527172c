import msgspec
import pytest

from pipeline.commands.slow_sensors import default_cards, why_too_slow
from pipeline.models.card import ModelCard


@pytest.fixture(scope="module")
def cards() -> list[ModelCard]:
    """The default models, of which the second needs 19 samples a second alone."""
    at_waist, elsewhere = default_cards()
    return [
        msgspec.structs.replace(at_waist, needed_rate_hz=30.0),
        msgspec.structs.replace(elsewhere, needed_rate_hz=19.0),
    ]


@pytest.mark.parametrize(
    ("rate_hz", "expected"),
    [
        (30.0, None),
        (29.0, "30 are needed at the waist (cnn-lstm), 19 elsewhere (cnn-lstm-any)"),
        (12.0, "30 are needed at the waist (cnn-lstm), 19 elsewhere (cnn-lstm-any)"),
        (
            9.0,
            "30 are needed at the waist (cnn-lstm), 19 elsewhere (cnn-lstm-any), "
            "and below 10 there are no windows",
        ),
    ],
)
def test_models_that_need_other_rates(
    cards: list[ModelCard], rate_hz: float, expected: str | None
) -> None:
    """It is said which model needs what, and of hardly any samples that there are no windows."""
    assert expected == why_too_slow(rate_hz, cards)


@pytest.mark.parametrize(("rate_hz", "expected"), [(30.0, None), (20.0, "30 are needed")])
def test_models_that_need_the_same(
    cards: list[ModelCard], rate_hz: float, expected: str | None
) -> None:
    """Then it does not matter where the phone was worn."""
    assert expected == why_too_slow(rate_hz, [cards[0]] * 2)
