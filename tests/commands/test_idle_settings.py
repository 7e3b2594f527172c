from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pipeline.commands.idle_settings import idle_settings
from pipeline.commands.stream.settings import StreamSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.recognition.judgement.model import Model

UPRIGHT = SimpleNamespace(identity="m@1", orientation="training")
LEVELLED = SimpleNamespace(identity="m-any@2", orientation="any")


def idle(models: list[SimpleNamespace], **settings: object) -> list[str]:
    """Return what is said of settings."""
    of_stream = StreamSettings.model_validate({"broker": "localhost", **settings})
    return idle_settings(of_stream, cast("Sequence[Model]", models))


@pytest.mark.parametrize(
    ("placement", "frame", "expected"),
    [
        ([], ["portrait"], []),
        (["a=any"], ["portrait"], []),
        (["any"], [], []),
        (["any", "a=waist"], ["a=portrait"], []),
        (["any", "a=waist"], ["portrait"], []),
        (["any"], ["portrait"], ["--frame portrait has no effect: --placement holds"]),
        (["any"], ["a=portrait"], ["--frame a=portrait has no effect: --placement holds"]),
        (["waist", "a=any"], ["a=portrait", "portrait"], ["--frame a=portrait has no effect"]),
    ],
)
def test_frames_of_phones_that_may_be_anywhere(
    placement: list[str], frame: list[str], expected: list[str]
) -> None:
    """A frame has no effect if all phones that it is set for have the model for any way round."""
    said = idle([UPRIGHT, LEVELLED], placement=placement, frame=frame)
    assert len(expected) == len(said)
    for words, sentence in zip(expected, said, strict=True):
        assert sentence.startswith(words)


def test_one_model() -> None:
    """Where phones are worn decides nothing; a frame counts unless the model is for any."""
    given = {"model": "m", "placement": ["waist"], "frame": ["portrait"]}
    [said] = idle([UPRIGHT], **given)
    assert said == (
        "--placement has no effect beside --model m: all phones have m@1, wherever they are worn"
    )
    assert [
        "--placement has no effect beside --model m: all phones have m-any@2, wherever they are "
        "worn",
        "--frame has no effect: m-any@2 is for phones any way round",
    ] == idle([LEVELLED], **given)
