"""Writes the newest figures into the pages of docs/results.

``python -m tests.benchmarks.run --json figures.json`` measures; ``python -m tests.benchmarks.pages
figures.json`` then replaces the blocks of what was measured. Other blocks stay, with their dates.
Each benchmark alone, the soak and the fuzzer take ``--json`` too. A block stands between two
comments:

    <!-- figures: load, cnn-lstm -->
    <!-- end of figures -->

The first names the benchmark and, if not all its figures are meant, the part of their names up to
the first comma. Four blocks are of other files: ``evaluation`` and, if placement sets were named,
``placements`` of har-evaluate's out/evaluation.json, ``ablation`` of cross-validation's
trainer/selection/choices.json, ``left-out-sets`` of trainer/selection/left_out_sets.json.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.benchmarks.charts import draw_resampling, draw_stages
from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, heading
from trainer import placement_report
from trainer.evaluation_report import EvaluationReport, summary
from trainer.selection import worth
from trainer.selection.choices import Choices, table
from trainer.selection.worth import Worth

RESULTS: Final = Path(__file__).parents[2] / "docs" / "results"
IMAGES: Final = RESULTS.parent / "images"

CHARTS: Final[dict[str, tuple[str, Callable[[Sequence[Figure], Path], None]]]] = {
    "resampling.svg": (": error", draw_resampling),
    "stages.svg": (": CPU time, ", draw_stages),
}
"""By its file, what draws a chart where it shows more than a table, and by which part of their
names the figures that it needs are known"""

_BLOCK: Final = re.compile(
    r"(?P<begin><!-- figures: (?P<benchmark>\w+)(?:, (?P<part>[^>]+?))? -->\n)"
    r".*?"
    r"(?P<end><!-- end of figures -->\n)",
    re.DOTALL,
)


def updated(page: str, conditions: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Return a page with these figures in the blocks of their benchmarks."""

    def block(found: re.Match[str]) -> str:
        lines = [
            str(figure)
            for figure in figures
            if figure.benchmark == found["benchmark"]
            and found["part"] in (None, figure.name.partition(",")[0])
        ]
        if not lines:
            return found[0]
        text = "\n".join([heading(_repeatable(conditions)), *lines])
        return f"{found['begin']}\n```\n{text}\n```\n\n{found['end']}"

    return _BLOCK.sub(block, page)


def _repeatable(conditions: Mapping[str, str]) -> dict[str, str]:
    """Return conditions whose command names no folder or file of the machine that measured."""
    folder = re.compile(rf"^{FOLDER_VARIABLE}=('[^']*'|\S+)")
    command = folder.sub(f"{FOLDER_VARIABLE}=DIR", conditions["command"])
    return {**conditions, "command": re.sub(r" --json[ =]('[^']*'|\S+)", "", command)}


def evaluated(page: str, report: EvaluationReport) -> str:
    """Return a page with a report of har-evaluate in its block."""
    data = report.data
    head = (
        f"{report.date[:10]}, har-stream {report.version}: {data.windows:,} windows of "
        f"{len(data.subjects)} subjects, data hash {data.hash}, seed {report.seed}"
    )
    page = _with_block(page, "evaluation", f"{head}\n{summary(report.models)}")
    if not report.placements:
        return page
    head = f"{report.date[:10]}, har-stream {report.version}"
    return _with_block(page, "placements", f"{head}\n{placement_report.table(report.placements)}")


def ablated(page: str, tried: Choices) -> str:
    """Return a page with the results of cross-validation in their block."""
    head = f"{tried.date[:10]}, commit {tried.commit}, seed {tried.seed}"
    return _with_block(page, "ablation", f"{head}\n{table(tried)}")


def with_left_out_sets(page: str, tried: Worth) -> str:
    """Return a page with what models are worth on data sets left out in its block."""
    head = f"{tried.date[:10]}, commit {tried.commit}"
    temperatures = ", ".join(f"{name} {value:.2f}" for name, value in tried.temperatures.items())
    text = f"{head}; temperatures: {temperatures}\n{worth.table(tried.rows)}"
    return _with_block(page, "left-out-sets", text)


def _with_block(page: str, name: str, text: str) -> str:
    """Return a page with a text in the block of a name, if it has one."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, has_block, rest = page.partition(begin)
    if not has_block:
        return page
    return f"{before}{begin}\n```\n{text}\n```\n\n{end}{rest.partition(end)[2]}"


def read(file: Path) -> tuple[dict[str, str], list[Figure]]:
    """Return the conditions and figures that ``run.py --json`` wrote."""
    everything: dict[str, Any] = json.loads(file.read_text())
    names = [one.name for one in fields(Figure)]
    figures = [Figure(**{name: entry[name] for name in names}) for entry in everything["figures"]]
    return everything["conditions"], figures


def _update_from(file: Path) -> Callable[[str], str]:
    """Return the function that writes the figures of a file into a page."""
    content = json.loads(file.read_text())
    if "models" in content:
        return partial(evaluated, report=msgspec.convert(content, EvaluationReport))
    if "temperatures" in content:
        return partial(with_left_out_sets, tried=msgspec.convert(content, Worth))
    if "rows" in content:
        return partial(ablated, tried=msgspec.convert(content, Choices))
    conditions, figures = read(file)
    return partial(updated, conditions=conditions, figures=figures)


def draw_charts(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Draw the charts that there are figures of, and return their files."""
    drawn = []
    for name, (part, draw) in CHARTS.items():
        shown = [figure for figure in figures if part in figure.name]
        if shown:
            drawn.append(folder / name)
            draw(shown, drawn[-1])
    return drawn


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write figures into docs/results")
    parser.add_argument(
        "file", type=Path, help="from run.py --json, evaluation.json or trainer/selection"
    )
    file = parser.parse_args().file
    update = _update_from(file)
    for page in sorted(RESULTS.glob("*.md")):
        before = page.read_text()
        after = update(before)
        if after != before:
            page.write_text(after)
            print(f"wrote {page.name}")
    if "figures" in json.loads(file.read_text()):
        for chart in draw_charts(read(file)[1], IMAGES):
            print(f"drew {chart.name}")


if __name__ == "__main__":
    main()
