"""How phones are served on the executors, and what the driver can tell of it beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.commands.log_settings import LogFormat
from pipeline.commands.spark.settings import SparkSettings
from pipeline.models.classifier import Classifier
from pipeline.models.loading import load_models
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.serving.rules import Rules
from pipeline.serving.step import Step
from pipeline.subscriptions import subscriptions_of

LOG_TEXT: Final = "%(asctime)s %(levelname)s %(message)s"
"""Form of a line of the log, of the driver and the executors"""


class OtherModelError(Exception):
    """The executor has another model than the driver; whoever installed them can mend it."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How phones are served; goes from the driver to the executors."""

    rules: Rules
    model: str
    """Name or path of the models"""
    models: tuple[str, ...]
    """What the driver found under it: names and hashes"""
    batch_size: int
    threads: int
    subscribe: tuple[str, ...]
    default_subscriptions: bool
    conventions: tuple[str, ...]
    frames: tuple[str, ...]
    body_places: tuple[str, ...]
    hop: int
    filter_start: FilterStart
    lateness_s: float
    log_format: LogFormat
    log_level: str

    @classmethod
    def of(cls, settings: SparkSettings, models: Sequence[Classifier]) -> "Serving":
        """Return it as it is set; ``models`` are what the driver has loaded."""
        return cls(
            rules=settings.rules(),
            model=settings.model,
            models=tuple(model.identity for model in models),
            batch_size=settings.batch_size,
            threads=settings.threads,
            subscribe=tuple(settings.subscribe),
            default_subscriptions=settings.default_subscriptions,
            conventions=tuple(settings.convention),
            frames=tuple(settings.frame),
            body_places=tuple(settings.placement),
            hop=settings.hop,
            filter_start=settings.filter_start,
            lateness_s=settings.lateness,
            log_format=settings.log_format,
            log_level=settings.log_level.upper(),
        )

    def load(self) -> list[Classifier]:
        """Return the models, on an executor.

        Raises:
            OtherModelError: they are not those of the driver.
        """
        models = load_models(self.model, batch_size=self.batch_size, threads=self.threads)
        found = tuple(model.identity for model in models)
        if found != self.models:
            raise OtherModelError(
                f"the driver has {' and '.join(self.models)}, an executor {' and '.join(found)}: "
                "install the same har-stream everywhere"
            )
        return models

    def step(self, models: Sequence[Classifier]) -> Step:
        """Return the step with loaded models.

        Raises:
            SubscriptionError: a subscription is none.
            PlacementError: a setting of placements is none.
        """
        return Step(
            self.rules,
            models,
            subscriptions_of(self.subscribe, with_defaults=self.default_subscriptions),
            conventions=self.conventions,
            frames=self.frames,
            body_places=self.body_places,
            hop=self.hop,
            filter_start=self.filter_start,
            lateness_s=self.lateness_s,
        )
