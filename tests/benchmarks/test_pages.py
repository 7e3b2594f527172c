import json
import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.benchmarks import pages
from tests.benchmarks.figures import Figure
from tests.processes import ROOT
from trainer import evaluation_report, placement_report
from trainer.placement_report import OnSet, SetReport
from trainer.selection import choices, worth
from trainer.set_scores import SetScores

PAGES: Final = sorted((ROOT / "docs" / "results").glob("*.md"))
Measured = tuple[dict[str, str], list[Figure]]
BLOCK: Final = "<!-- figures: {} -->\n\n```\n{}\n```\n\n<!-- end of figures -->\n"
HEADING: Final = (
    "2026-11-26, a CPU, 2 cores (load 0.10), Python 3.11.7, onnxruntime 1.32.0, numpy 2.4.6\n"
    "repeat: HAR_DATA_DIR=DIR python run.py"
)


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """Conditions and figures as they come back from the file of a run."""
    figures = [
        Figure("load", "lstm, QoS 1: har-stream", 3100, "phones"),
        Figure("load", "cnn-lstm, QoS 1: har-stream", 5250, "phones", 3000, at_least=True),
        Figure("load", "lstm-any, QoS 1: har-stream", 3000, "phones"),
        Figure("inference", "lstm, batch 1", 8070, "windows/s"),
    ]
    conditions = {
        "date": "2026-11-26",
        "cpu": "a CPU",
        "cores": "2",
        "load before": "0.10",
        "python": "3.11.7",
        "onnxruntime": "1.32.0",
        "numpy": "2.4.6",
        "command": "HAR_DATA_DIR='/data of mine' python run.py --json '/my figures.json'",
    }
    file = tmp_path / "figures.json"
    everything = {"conditions": conditions, "figures": [one.as_json() for one in figures]}
    file.write_text(json.dumps(everything))
    return pages.read(file)


def test_a_block_takes_the_figures_of_its_benchmark(measured: Measured) -> None:
    """A block gets the heading and the lines that the run printed, without the folder's name."""
    lines = f"{HEADING}\n  {'lstm, batch 1':<42}    8,070 windows/s"
    page = "before\n{}after\n"
    before, after = (BLOCK.format("inference", text) for text in ("old", lines))
    assert page.format(after) == pages.updated(page.format(before), *measured)


def test_a_block_takes_figures_by_the_first_part_of_their_names(
    measured: Measured,
) -> None:
    """Blocks of one benchmark share its figures; none takes those of a longer name."""
    page = BLOCK.format("load, cnn-lstm", "old") + BLOCK.format("load, lstm", "old")
    blocks = pages.updated(page, *measured).split("<!-- end of figures -->\n")
    assert [["cnn-lstm"], ["lstm"]] == [
        re.findall(r"^  ([\w-]+), QoS", block, re.MULTILINE) for block in blocks[:2]
    ]


def test_what_was_not_measured_stays(measured: Measured) -> None:
    """A block without a new figure keeps its old ones and their date."""
    page = BLOCK.format("training", "old") + BLOCK.format("load, conv-lstm", "old")
    assert page == pages.updated(page, *measured)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_the_pages_are_whole(page: Path) -> None:
    """Every block of the pages has a beginning and an end, with one transcript between."""
    text = page.read_text()
    blocks = re.findall(
        r"<!-- figures: [^>]+ -->\n\n```\n[^`]+```\n\n<!-- end of figures -->\n", text
    )
    assert [text.count("<!-- figures: "), text.count("<!-- end of figures")] == [len(blocks)] * 2


@pytest.fixture
def report() -> evaluation_report.EvaluationReport:
    """The report of an evaluation of one model."""
    model = evaluation_report.ModelReport(
        accuracy=0.9832,
        interval=(0.971, 0.993),
        sitting_standing=0.957,
        rotated=0.3834,
        calibration_error=0.0035,
        log_loss=0.0483,
        classes={},
        confusion_matrix=[],
        reliability=evaluation_report.ReliabilityCurve(confidence=[], accuracy=[], windows=[]),
    )
    return evaluation_report.EvaluationReport(
        date="2026-11-26T03:00:00+00:00",
        commit=None,
        version="0.1.0",
        data=evaluation_report.DataReport(
            hash="0123456789abcdef", published=True, windows=2947, subjects=[2, 4]
        ),
        seed=1,
        models={"cnn-lstm@0badcafe": model},
        selection={},
    )


def test_the_report_of_an_evaluation_has_a_block(
    report: evaluation_report.EvaluationReport,
) -> None:
    """The page on accuracy takes it, with the table that har-evaluate prints."""
    page = (ROOT / "docs" / "results" / "accuracy.md").read_text()
    written = pages.evaluated(page, report)
    head = (
        "2026-11-26, har-stream 0.1.0: 2,947 windows of 2 subjects, data hash 0123456789abcdef, "
        "seed 1"
    )
    block = f"\n```\n{head}\n{evaluation_report.summary(report.models)}\n```\n\n"
    assert f"<!-- evaluation -->\n{block}<!-- end of evaluation -->\n" in written
    assert written == pages.evaluated(written, report)


def test_placement_sets_have_a_block(report: evaluation_report.EvaluationReport) -> None:
    """The page on accuracy takes their table, if some were named."""
    page = (ROOT / "docs" / "results" / "accuracy.md").read_text()
    assert "<!-- placements -->\n" in page
    before = page.partition("<!-- placements -->\n")[2]
    assert pages.evaluated(page, report).endswith(before)
    scores = SetScores(
        windows=1,
        balanced_accuracy=0.5,
        recall={},
        stairs=None,
        moving=1.0,
        running_recall=None,
        running_precision=None,
        calibration_error=0.1,
    )
    on_set = OnSet(trained_on="no", learnt=None, unknown=scores)
    sets = (SetReport(name="A", hash="0", worn_at="hand", people=1, models={"m@1": on_set}),)
    written = pages.evaluated(page, msgspec.structs.replace(report, placements=sets))
    assert f"2026-11-26, har-stream 0.1.0\n{placement_report.table(sets)}\n```" in written


def test_the_results_of_cross_validation_have_a_block() -> None:
    """The page on the ablation shows those that come with the package."""
    page = (ROOT / "docs" / "results" / "ablation.md").read_text()
    assert page == pages.ablated(page, choices.shipped())


def test_what_models_are_worth_on_sets_left_out_has_a_block() -> None:
    """The page on the ablation shows the figures that come with the package."""
    page = (ROOT / "docs" / "results" / "ablation.md").read_text()
    assert page == pages.with_left_out_sets(page, worth.shipped())


def test_a_page_without_a_block_stays() -> None:
    """What has no place on a page is left out of it."""
    page = "before\n"
    assert page == pages.ablated(page, choices.shipped())


def test_the_figures_of_the_resampling_are_drawn(tmp_path: Path) -> None:
    """One line for each jitter and share of lost samples, named; the page shows the file."""
    figures = [
        Figure("resampling", f"{rate} Hz, jitter {jitter} ms, lost {lost}%: error", 2.0, "% of RMS")
        for rate in (50, 100)
        for jitter in (0, 2)
        for lost in (0, 5)
    ]
    (chart,) = pages.draw_charts(figures, tmp_path)
    text = chart.read_text()
    for jitter in (0, 2):
        for lost in (0, 5):
            assert f">jitter {jitter} ms, {lost} % lost<" in text
    assert (pages.IMAGES / chart.name).is_file()
    assert f"../images/{chart.name}" in (pages.RESULTS / "accuracy.md").read_text()


def test_the_stages_are_drawn(tmp_path: Path) -> None:
    """Every stage and run is named; the page shows the file."""
    figures = [
        Figure(
            "load",
            f"cnn-lstm, QoS {qos}: CPU time, {stage}",
            1.0,
            "s",
            parts={"message_us": 20.0},
        )
        for qos in (1, 0)
        for stage in ("decode", "infer")
    ]
    (chart,) = pages.draw_charts(figures, tmp_path)
    text = chart.read_text()
    for label in ("decode", "infer", "cnn-lstm, QoS 1", "cnn-lstm, QoS 0"):
        assert f">{label}<" in text
    assert (pages.IMAGES / chart.name).is_file()
    assert f"../images/{chart.name}" in (pages.RESULTS / "load.md").read_text()


def test_a_benchmark_without_chart_draws_none(tmp_path: Path) -> None:
    """Most figures are lines of text."""
    assert [] == pages.draw_charts([Figure("load", "phones", 3.0, "phones")], tmp_path)
