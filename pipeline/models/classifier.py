"""The model file: its card, and the classification of windows.

The only file that knows onnxruntime. A model is one ONNX file with its card inside; a file whose
card is missing or does not fit this pipeline is rejected here, with the reason. So is one that does
not come to an end, and on demand one whose answers are no probabilities.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as _errors

from pipeline.event_log import EventLog
from pipeline.models.card import ModelCard, ModelError, read_card
from pipeline.models.decisions import shipped
from pipeline.models.gait import shipped_gait
from pipeline.models.time_limit import within
from pipeline.models.trial import trial_frames, trial_windows
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.network import Network
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import (
    ANY,
    AUTO,
    AUTO_FAMILY,
    CHANNELS,
    SHIPPED_MODELS,
    WINDOW_LENGTH,
    Orientation,
)

logger = EventLog(__name__)

INPUT_NAME: Final = "window"
WEARER_NAME: Final = "wearer"
"""Second input of a model that takes the wearers' frames"""
OUTPUT_NAME: Final = "probabilities"

LONGEST_S: Final = 10.0
"""Within which a model must be loaded, and classify one batch: usual are hundredths of a second"""
SUM_TOLERANCE: Final = 1e-3
"""By which the probabilities of a window may differ from 1 together, or from 0 or 1 alone"""

T = TypeVar("T")


def find_model(name_or_path: str, *, also: tuple[str, ...] = ()) -> Path:
    """Return the path of a shipped model by its name, or of any model file by its path.

    ``also`` are other names that the user could have given.

    Raises:
        ModelError: there is neither such a model nor such a file.
    """
    if name_or_path in SHIPPED_MODELS:
        return Path(str(files("pipeline") / "models" / f"{name_or_path}.onnx"))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise ModelError(
            f"no model {name_or_path!r}: name one of {', '.join(also + SHIPPED_MODELS)}, "
            "or give the path of an .onnx file made by har-train"
        )
    return path


def find_models(name_or_path: str) -> list[Path]:
    """Return the paths of the models that a name or path stands for: of `AUTO` two, else one.

    Of two, the first is for phones at the waist, the second for all others.

    Raises:
        ModelError: there is neither such a model nor such a file.
    """
    if name_or_path == AUTO:
        return [find_model(AUTO_FAMILY), find_model(AUTO_FAMILY + ANY)]
    return [find_model(name_or_path, also=(AUTO,))]


class Classifier:
    """A loaded model: windows in, probabilities out."""

    def __init__(
        self, path: Path, *, threads: int = 1, batch_size: int = 64, longest_s: float = LONGEST_S
    ) -> None:
        """Load the model file ``path``.

        Args:
            path: an ONNX file with a model card.
            threads: batches that are classified at the same time, where there are several.
            batch_size: most windows in one onnxruntime call.
            longest_s: seconds in which it is to be loaded, and to classify a batch.

        Raises:
            ModelError: the file is missing, no ONNX, without a card, of another shape, or fails
                on a batch of windows, or takes too long for it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # Else a plan is kept for every batch size that occurred: 17 MB with an LSTM, no faster.
        options.enable_mem_pattern = False
        try:
            self._ort = _within(
                longest_s,
                lambda _: onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                ),
            )
        except _LOAD_ERRORS as error:
            raise ModelError(f"{path}: cannot be loaded as an ONNX model: {error}") from error
        except TimeoutError:
            raise ModelError(f"{path}: is not loaded after {longest_s:g} s") from None
        metadata = self._ort.get_modelmeta().custom_metadata_map
        self.card = read_card(path, metadata)
        _check_graph(path, self._ort, self.card)
        self._path = path
        self.batch_size = batch_size
        self._threads = ThreadPoolExecutor(threads, "classifier") if threads > 1 else None
        self.n_windows = 0
        """Windows that were classified"""
        self.batches: Counter[int] = Counter()
        """Calls of the model for them, by the number of windows"""
        self.n_unanswered = 0
        """Windows for which the model gave something else than numbers"""
        # A full batch takes the memory that it needs now, not when the crowd comes.
        for n_windows in sorted({1, batch_size}):
            windows = np.zeros((n_windows, WINDOW_LENGTH, len(CHANNELS)), np.float32)
            try:
                _within(longest_s, partial(self._run, windows, _unknown(windows)))
            except _RUN_ERRORS as error:
                raise ModelError(f"{path}: cannot classify {n_windows} windows: {error}") from error
            except TimeoutError:
                raise ModelError(
                    f"{path}: has not classified {n_windows} windows after {longest_s:g} s: does "
                    "its graph come to an end?"
                    + (" If it is only slow: a smaller --batch-size" if n_windows > 1 else "")
                ) from None
        # So that a window's probabilities do not depend on which others come with it.
        self._is_single_doubled = batch_size > 1 and not self._rounds_single_windows_alike()

    @property
    def identity(self) -> str:
        """Name and version as predictions quote them, ``cnn-lstm@1a2b3c4d``."""
        return self.card.identity

    @property
    def activities(self) -> tuple[str, ...]:
        """Names of the probabilities' columns."""
        return self.card.activities

    @property
    def orientation(self) -> Orientation:
        """How the phones are worn that the model is for."""
        return self.card.orientation

    @property
    def needed_rate_hz(self) -> float:
        """Samples a second that it needs of each sensor; with fewer its answers are doubted."""
        return self.card.needed_rate_hz

    @property
    def learnt(self) -> Learnt:
        """The numbers of the decisions that go with it."""
        return shipped(self.orientation)

    @property
    def gait(self) -> Network | None:
        """The numbers by which wearers' frames are learnt, None if the model takes no frames."""
        return shipped_gait() if self.card.wearer else None

    def classify(
        self, windows: NDArray[np.float32], wearer_frames: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities ``(n_windows, n_activities)`` of each window's activity.

        ``windows`` has the shape ``(n_windows, 128, 9)``, in g and rad/s. ``wearer_frames``
        ``(n_windows, 10)`` are used by a model that takes them; without them nothing is known.
        If the model gives something else than numbers for a window, its probabilities are NaN.
        """
        if len(windows) == 0:
            return np.empty((0, len(self.activities)), np.float32)
        probabilities = self._classify(
            windows, _unknown(windows) if wearer_frames is None else wearer_frames
        )
        self.n_windows += len(windows)
        n_full, n_rest = divmod(len(windows), self.batch_size)
        self.batches.update([self.batch_size] * n_full + [n_rest] * (n_rest > 0))
        unanswered = ~np.isfinite(probabilities).all(axis=1)
        if unanswered.any():
            probabilities[unanswered] = np.nan
            self.n_unanswered += (n := int(unanswered.sum()))
            logger.warning(
                "windows-unanswered",
                "the model gives no numbers for %(n)d windows, %(n_so_far)d so far: no prediction",
                n=n,
                n_so_far=self.n_unanswered,
            )
        return probabilities

    def check_answers(self) -> None:
        """Check that the model gives probabilities, for ordinary windows and for extreme ones.

        Raises:
            ModelError: it gives something else.
        """
        windows = trial_windows()
        probabilities = np.concatenate(
            [self._classify(windows, frames) for frames in trial_frames(len(windows))]
        )
        for what, wrong in (
            ("are not numbers", ~np.isfinite(probabilities)),
            ("are negative", probabilities < -SUM_TOLERANCE),
            ("are more than 1", probabilities > 1 + SUM_TOLERANCE),
            ("do not add up to 1", np.abs(probabilities.sum(axis=1) - 1) > SUM_TOLERANCE),
        ):
            if wrong.any():
                raise ModelError(
                    f"{self._path}: its probabilities {what}, such as "
                    f"{np.round(probabilities[np.argwhere(wrong)[0, 0]], 3).tolist()}; "
                    "make the file with har-train"
                )

    def _classify(
        self, windows: NDArray[np.float32], wearer_frames: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the model's output unchecked."""
        cuts = range(self.batch_size, len(windows), self.batch_size)
        batches = np.split(windows, cuts), np.split(wearer_frames, cuts)
        if self._threads is None or len(cuts) == 0:
            return np.concatenate([*map(self._classify_batch, *batches)])
        return np.concatenate([*self._threads.map(self._classify_batch, *batches)])

    def _classify_batch(
        self, windows: NDArray[np.float32], wearer_frames: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the model's output for windows that go in together."""
        if len(windows) == 1 and self._is_single_doubled:
            return self._run(np.repeat(windows, 2, 0), np.repeat(wearer_frames, 2, 0))[:1]
        return self._run(windows, wearer_frames)

    def _rounds_single_windows_alike(self) -> bool:
        """Return whether single windows have the same probabilities, to the last bit, as in pairs.

        With some graphs, such as those of models for any place, onnxruntime sums a single window in
        another order than several.
        """
        singles = [window[np.newaxis] for window in trial_windows()[-4:]]  # the shaken ones
        return all(
            self._run(single, frames).tobytes()
            == self._run(np.repeat(single, 2, 0), np.repeat(frames, 2, 0))[:1].tobytes()
            for single in singles
            for frames in trial_frames(len(single))
        )

    def _run(
        self,
        windows: NDArray[np.float32],
        wearer_frames: NDArray[np.float32],
        options: onnxruntime.RunOptions | None = None,
    ) -> NDArray[np.float32]:
        inputs = {INPUT_NAME: windows}
        if self.card.wearer:
            inputs[WEARER_NAME] = wearer_frames
        probabilities: NDArray[np.float32] = self._ort.run([OUTPUT_NAME], inputs, options)[0]
        return probabilities


def _unknown(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return frames of wearers of whom nothing is known, one a window."""
    return np.zeros((len(windows), len(COLUMNS)), np.float32)


def _within(longest_s: float, work: Callable[[onnxruntime.RunOptions], T]) -> T:
    """Return the result of work that heeds run options, or raise `TimeoutError` as `within` does.

    It is asked to stop between two operations of a model.
    """
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4  # the caller reports what goes wrong
    return within(
        longest_s, lambda: work(options), stop=partial(setattr, options, "terminate", True)
    )


_LOAD_ERRORS: Final = (
    _errors.Fail,
    _errors.InvalidArgument,
    _errors.InvalidGraph,
    _errors.InvalidProtobuf,
    _errors.NoSuchFile,
    _errors.NotImplemented,
)
_RUN_ERRORS: Final = (_errors.Fail, _errors.InvalidArgument, _errors.RuntimeException)


def _check_graph(path: Path, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
    """Reject a graph whose input or output is not what its card promises."""
    inputs = {INPUT_NAME: [card.window_length, len(card.channels)]}
    if card.wearer:
        inputs[WEARER_NAME] = [len(card.wearer)]
    for what, nodes, expected in (
        ("input", session.get_inputs(), inputs),
        ("output", session.get_outputs(), {OUTPUT_NAME: [len(card.activities)]}),
    ):
        tensors = sorted((node.name, node.type, node.shape[1:]) for node in nodes)
        if tensors != sorted((name, "tensor(float)", shape) for name, shape in expected.items()):
            promised = " and one ".join(
                f"float32 tensor {name!r} of shape (batch, {', '.join(map(str, shape))})"
                for name, shape in expected.items()
            )
            raise ModelError(f"{path}: its {what} must be one {promised}, but is {tensors}")
