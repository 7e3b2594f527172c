"""What stands in deploy/prometheus and deploy/grafana, as the tests read it."""

import json
import re
from pathlib import Path
from typing import Final

from tests.processes import ROOT

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
GRAFANA: Final = ROOT / "deploy" / "grafana"
DASHBOARD: Final = GRAFANA / "dashboards" / "har-stream.json"
_NAME: Final = re.compile(r"\b(?:har|process)_[a-z_]+")


def panel_queries() -> dict[str, list[str]]:
    """Return the queries of each panel of the dashboard, by its title."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {
        f"{panel['id']} {panel['title']}": [target["expr"] for target in panel["targets"]]
        for panel in panels
        if panel["type"] != "row"
    }


def names_in(text: str) -> set[str]:
    """Return the names of metrics that a text uses."""
    return set(_NAME.findall(text))


def filled_in(query: str, *, interval: str) -> str:
    """Return a query of the dashboard as Grafana sends it, for all instances."""
    return query.replace("$__rate_interval", interval).replace("$instance", ".*")


def texts_with_names() -> dict[str, str]:
    """Return the texts that use metrics: the files of Prometheus, and the dashboard's queries."""
    texts = {path.name: _without_comments(path) for path in sorted(PROMETHEUS.glob("alerts*.yml"))}
    queries = [query for queries in panel_queries().values() for query in queries]
    return texts | {DASHBOARD.name: "\n".join(queries)}


def _without_comments(path: Path) -> str:
    return re.sub(r"^ *#.*$", "", path.read_text(), flags=re.MULTILINE)
