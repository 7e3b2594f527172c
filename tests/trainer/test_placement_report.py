import pytest

from trainer.placement_report import OnSet, SetReport, table
from trainer.set_scores import SetScores


def scores(balanced: float, running: float | None = None) -> SetScores:
    """Return the figures of a set, perhaps with running."""
    return SetScores(
        windows=10,
        balanced_accuracy=balanced,
        recall={},
        stairs=None,
        moving=1.0,
        running_recall=running,
        running_precision=running,
        calibration_error=0.125,
    )


@pytest.fixture
def reports() -> list[SetReport]:
    """Two sets, of which one has running, and a model that takes the wearer's frame."""
    return [
        SetReport(
            name=name,
            hash="0123",
            worn_at="pocket",
            people=3,
            models={
                "a@1": OnSet(trained_on="no", learnt=None, unknown=scores(0.25)),
                "b-any@2": OnSet(
                    trained_on="yes",
                    learnt=scores(balanced, running),
                    unknown=scores(0.5, running),
                ),
            },
        )
        for name, balanced, running in (("One", 0.75, 0.5), ("Other", 1.0, None))
    ]


def test_the_table_has_a_line_a_set_model_and_frame(reports: list[SetReport]) -> None:
    """It says what was known of the wearers, and who was trained on a set."""
    _, title, *lines = table(reports[:1]).splitlines()
    assert "One, pocket: 3 people, hash 0123" == title
    assert [
        ["a@1", "-", "0.2500", "-", "1.0000", "-", "-", "0.1250", "no"],
        ["b-any@2", "learnt", "0.7500", "-", "1.0000", "0.5000", "0.5000", "0.1250", "yes"],
        ["b-any@2", "unknown", "0.5000", "-", "1.0000", "0.5000", "0.5000", "0.1250", "yes"],
    ] == [line.split() for line in lines]


def test_means_over_sets_come_last(reports: list[SetReport]) -> None:
    """A set that lacks a figure is not in its mean."""
    lines = table(reports).splitlines()[-4:]
    assert "mean over sets" == lines[0]
    assert [
        ["a@1", "-", "0.2500", "-", "1.0000", "-", "-", "0.1250"],
        ["b-any@2", "learnt", "0.8750", "-", "1.0000", "0.5000", "0.5000", "0.1250"],
        ["b-any@2", "unknown", "0.5000", "-", "1.0000", "0.5000", "0.5000", "0.1250"],
    ] == [line.split() for line in lines[1:]]


def test_columns_are_below_their_headings(reports: list[SetReport]) -> None:
    """Whatever is in them."""
    head, _, *lines = table(reports[:1]).splitlines()
    for line in lines:
        assert head.index("  trained on") == line.rindex("  ")
