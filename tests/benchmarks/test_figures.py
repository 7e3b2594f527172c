import pytest

from tests.benchmarks import figures


@pytest.mark.parametrize(("value", "met"), [(2999.0, False), (3000.0, True), (3001.0, True)])
def test_figure_of_which_more_is_better_is_met_from_its_limit_on(value: float, met: bool) -> None:
    """``at_least`` turns the sense of the limit, and the line says so."""
    figure = figures.Figure("load", "phones", value, "phones", limit=3000.0, at_least=True)
    assert figure.met == met
    assert figure.as_json()["at_least"]
    assert "at least 3000 phones" in str(figure)
    assert str(figure).endswith(" ok" if met else " BELOW THE LIMIT")
