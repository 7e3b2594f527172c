from pathlib import Path

import msgspec
import pytest

from trainer.evaluation_report import (
    DataReport,
    EvaluationReport,
    ModelReport,
    ReliabilityCurve,
    summary,
)
from trainer.json_file import write_json


@pytest.fixture
def report() -> EvaluationReport:
    """The report on a model of which two windows are known."""
    model = ModelReport(
        accuracy=0.5,
        interval=(0.25, 0.75),
        sitting_standing=1.0,
        rotated=0.125,
        streamed=0.25,
        calibration_error=0.0625,
        log_loss=0.7,
        classes={"SITTING": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "windows": 1}},
        confusion_matrix=[[1, 0], [1, 0]],
        reliability=ReliabilityCurve(confidence=[0.75], accuracy=[0.5], windows=[2]),
    )
    return EvaluationReport(
        date="2026-11-26T03:00:00+00:00",
        commit=None,
        version="0.1.0",
        data=DataReport(hash="0123456789abcdef", published=True, windows=2, subjects=[2, 4]),
        seed=1,
        models={"cnn-lstm@0badcafe": model},
        selection={"cnn-lstm@0badcafe": "fixed beforehand"},
    )


def test_a_report_is_read_as_it_was_written(report: EvaluationReport, tmp_path: Path) -> None:
    """Whoever reads the file gets the figures that were written."""
    write_json(tmp_path / "evaluation.json", report)
    content = (tmp_path / "evaluation.json").read_bytes()
    assert report == msgspec.json.decode(content, type=EvaluationReport)


def test_a_report_from_before_is_read(report: EvaluationReport) -> None:
    """What was not measured then is missing in it, and in the table."""
    older = msgspec.to_builtins(report)
    del older["data_sets"], older["placements"], older["models"]["cnn-lstm@0badcafe"]["streamed"]
    read = msgspec.convert(older, EvaluationReport)
    assert ((), None) == (read.placements, read.models["cnn-lstm@0badcafe"].streamed)
    assert "-" in summary(read.models).split()


def test_the_table_has_a_line_a_model(report: EvaluationReport) -> None:
    """Its columns are under their headings."""
    head, line = summary(report.models).splitlines()
    assert "log loss" == head.split("  ")[-1].strip()
    values = ["0.5000", "0.250 to 0.750", "1.0000", "0.1250", "0.2500", "0.0625", "0.7000"]
    assert f"cnn-lstm@0badcafe  {'  '.join(f'{value:>14}' for value in values)}" == line
    assert len(head) == len(line)
