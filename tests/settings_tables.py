"""The tables of settings in docs/reference/settings.md, made from the settings' classes, in groups.

``python -m tests.settings_tables`` writes them anew, between the page's two marks.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings.sources.types import _CliPositionalArg

from pipeline.commands.bridge.settings import BridgeSettings
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.history.settings import (
    HistoryDevicesSettings,
    HistoryExportSettings,
    HistoryForgetSettings,
    HistoryRunSettings,
    HistoryShowSettings,
)
from pipeline.commands.import_settings import ImportSettings
from pipeline.commands.record.settings import RecordSettings
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.spark.settings import SparkSettings
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.timeline.settings import TimelineSettings
from pipeline.commands.web.settings import WebSettings
from pipeline.setting_groups import Groups, group_of
from pipeline.settings import BrokerSettings, CommandSettings
from trainer.commands.evaluate_settings import EvaluateSettings
from trainer.commands.train_settings import TrainSettings

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
BEGIN: Final = "<!-- begin: python -m tests.settings_tables -->\n"
END: Final = "<!-- end -->\n"

COMMANDS: Final[dict[str, type[CommandSettings]]] = {
    "har-stream": StreamSettings,
    "har-spark": SparkSettings,
    "har-web": WebSettings,
    "har-calibrate": CalibrateSettings,
    "har-replay": ReplaySettings,
    "har-record": RecordSettings,
    "har-import": ImportSettings,
    "har-timeline": TimelineSettings,
    "har-history run": HistoryRunSettings,
    "har-history show": HistoryShowSettings,
    "har-history devices": HistoryDevicesSettings,
    "har-history export": HistoryExportSettings,
    "har-history forget": HistoryForgetSettings,
    "har-bridge": BridgeSettings,
    "har-train": TrainSettings,
    "har-evaluate": EvaluateSettings,
    "har-demo": DemoSettings,
}
"""The settings of each command, in the order of the page."""


def tables() -> str:
    """Return all tables in Markdown; the settings of the broker's connection stand there once."""
    connecting = [name for name, kind in COMMANDS.items() if issubclass(kind, BrokerSettings)]
    shared = BrokerSettings.model_fields
    rows = [_row(key, shared[key]) for key in _in_groups(shared, BrokerSettings.groups)]
    sections = [_section("The connection to the broker", f"{_listed(connecting)}.", rows)]
    for name, kind in COMMANDS.items():
        text = "And those of the [connection](#the-connection-to-the-broker)."
        own = {key: field for key, field in kind.model_fields.items() if key not in shared}
        rows, title = [], ""
        for key in _in_groups(own, kind.groups):
            before, title = title, group_of(key, kind.groups)[0]
            if title != before:
                rows.append(f"| **{title}** | | |")
            rows.append(_row(key, own[key]))
        sections.append(_section(f"`{name}`", text if name in connecting else "", rows))
    return "\n".join(sections)


def _in_groups(names: Iterable[str], groups: Groups) -> list[str]:
    """Return names of settings in the order of ``--help``."""
    titles = list(groups)

    def place(name: str) -> tuple[int, int]:
        title, place = group_of(name, groups)
        return titles.index(title), place

    return sorted(names, key=place)


def _section(title: str, text: str, rows: Sequence[str]) -> str:
    paragraph = [text, ""] if text else []
    head = ["| flag | default | meaning |", "|---|---|---|"]
    return "\n".join([f"## {title}", "", *paragraph, *head, *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        default = "required"
    elif field.default in (None, []):
        default = ""
    elif isinstance(field.default, bool):
        default = "yes" if field.default else "no"
    elif isinstance(field.default, list):
        default = f"`{','.join(field.default)}`"
    else:
        default = f"`{field.default}`"
    flag = f"--{(field.alias or name).replace('_', '-')}"
    if any(marker is _CliPositionalArg for marker in field.metadata):
        flag = name.upper()
    return f"| `{flag}` | {default} | {field.description} |"


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + tables() + "\n" + END + after)


if __name__ == "__main__":
    main()
