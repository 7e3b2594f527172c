"""The tables of metrics in docs/reference/metrics.md, made from what running commands answer.

``python -m tests.metrics_table`` starts each command at a Mosquitto, scrapes it, and writes the
page anew between its two marks. har-spark, which needs an engine, is not started: what it would
answer is made of its metrics.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from pipeline.commands.monitoring.exposition import Exposition
from pipeline.commands.spark.batch_report import BatchReport
from pipeline.commands.spark.metrics import spark_families
from tests.brokers import Mosquitto
from tests.processes import ROOT, commands_in
from tests.scraping import Scraper

PAGE: Final = ROOT / "docs" / "reference" / "metrics.md"
BEGIN: Final = "<!-- begin: python -m tests.metrics_table -->\n"
END: Final = "<!-- end -->\n"

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "har-stream": ("--state", "state"),
    "har-web": ("--listen", "127.0.0.1:0"),
    "har-record": ("--device", "phone"),
    "har-history": ("--database", "history.db"),
    "har-bridge": ("--kafka", "127.0.0.1:1"),
}
"""Flags with which each command shows all its metrics, beside the broker's"""
SHARED: Final = ("har_build_info", "har_loop_turn_timestamp_seconds", "har_broker_", "har_inbox_")
SHARED_TOO: Final = ("har_unacknowledged_messages", "har_publications_", "har_unconfirmed_publi")
"""How the names of what every command has begin"""
MOST_VALUES: Final = 8
"""Values of a label that are listed"""
_SUFFIX: Final = re.compile(r"_(bucket|count|sum)$")


def tables(scrapes: Mapping[str, str]) -> str:
    """Return all tables in Markdown, of what each command answers."""
    rows = {name: _rows(text) for name, text in scrapes.items()}
    first = next(iter(rows.values()))
    sections = [_section("Every command", {n: r for n, r in first.items() if _is_shared(n)})]
    for name, of_command in rows.items():
        own = {n: r for n, r in of_command.items() if not _is_shared(n)}
        sections.append(_section(f"`{name}`", own))
    return "\n".join(sections)


def _is_shared(name: str) -> bool:
    return name.startswith((*SHARED, *SHARED_TOO))


def _section(title: str, rows: Mapping[str, str]) -> str:
    head = ["| name | kind | label | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *head, *rows.values(), ""])


def _rows(text: str) -> dict[str, str]:
    """Return a row for each of our names."""
    rows = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("har_"):
            continue
        name = family.name
        if family.type == "counter":
            name += "_total"
        kind = "info" if name.endswith("_info") else family.type
        values: dict[str, list[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label != "le" and kind != "info":
                    values.setdefault(label, []).append(f"`{value}`")
                elif kind == "info":
                    values.setdefault(label, [])
        labels = "; ".join(
            f"`{label}`" + (f": {_listed(found)}" if found else "")
            for label, found in sorted(values.items())
        )
        rows[name] = f"| `{name}` | {kind} | {labels} | {family.documentation} |"
    return rows


def _listed(values: list[str]) -> str:
    more = len(values) - MOST_VALUES
    if more <= 1:
        return ", ".join(values)
    return f"{', '.join(values[:MOST_VALUES])} and {more} more"


def scraped(folder: Path) -> dict[str, str]:
    """Return what each command answers that runs at a broker of its own, with its usual models."""
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    try:
        with commands_in(folder) as start:
            scrapes = {}
            for name, flags in COMMANDS.items():
                running = start(name, *mosquitto.flags, "--metrics", "127.0.0.1:0", *flags)
                scraper = Scraper.of(running)
                scraper.await_samples({"har_broker_connected": 1})
                scrapes[name] = scraper.get("/metrics").body
            return scrapes | {"har-spark": _of_spark()}
    finally:
        mosquitto.stop()


def _of_spark() -> str:
    exposition = Exposition()
    exposition.publish(tuple(spark_families(BatchReport())))
    return exposition.text().decode()


def main() -> None:
    """Write the tables into the page."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # Mosquitto may run as somebody else
        made = tables(scraped(Path(folder)))
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + made + "\n" + END + after)


if __name__ == "__main__":
    main()
