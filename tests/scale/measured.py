"""What the tests with Kafka and Spark measured on their way; shown at the end of a run."""

from typing import Final

MEASURED: Final[list[str]] = []
"""A line for each figure"""
