from typing import get_args

import pytest

from tests.trainer.networks.contract import N_ACTIVITIES, check_probabilities, some_windows
from trainer.networks.models import BUILDERS, Builder
from trainer.networks.options import View

pytestmark = pytest.mark.train


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_every_model_takes_raw_windows_and_gives_probabilities(build: Builder, view: View) -> None:
    """Whatever its inside and its view of a window, a model maps it to probabilities."""
    check_probabilities(build(some_windows(), N_ACTIVITIES, view))


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("name", BUILDERS)
def test_models_are_small(name: str, view: View) -> None:
    """None has more than 150,000 parameters."""
    assert BUILDERS[name](some_windows(), N_ACTIVITIES, view).count_params() <= 150_000
