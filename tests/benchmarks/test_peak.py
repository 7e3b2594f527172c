import pytest

from tests.benchmarks import peak

pytestmark = pytest.mark.train


def test_the_peak_is_that_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small matrices make the test quick; any processor does 10 million operations a second."""
    monkeypatch.setattr(peak, "MATRIX", 128)
    product = peak.Product()
    assert 1e7 < product.flops()
    rates = iter([1.0, 5.0, 3.0, 2.0, 4.0])
    monkeypatch.setattr(peak.Product, "flops", lambda _: next(rates))
    assert 5.0 == peak.measured_peak()
