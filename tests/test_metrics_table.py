from pathlib import Path

import pytest

from tests import metrics_table

pytestmark = pytest.mark.broker


def test_the_page_is_what_commands_answer(tmp_path: Path) -> None:
    """The page of metrics has the tables that running commands give."""
    page = metrics_table.PAGE.read_text()
    shown = page.split(metrics_table.BEGIN)[1].split(metrics_table.END)[0]
    assert shown.strip() == metrics_table.tables(metrics_table.scraped(tmp_path)).strip()
