"""The forms of a model and of its session that could take less time: what is tried.

Each is made of a file and of settings of onnxruntime; all run on one thread.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from pipeline.models.classifier import INPUT_NAME, OUTPUT_NAME, WEARER_NAME
from pipeline.vocabulary import ANY, AUTO_FAMILY
from trainer.graph.faster import STEPS
from trainer.graph.graph import Graph
from trainer.training.processes import quiet_tensorflow

with quiet_tensorflow():
    from trainer.graph.remaking import with_newest_views

Run = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""From windows ``(n, 128, 9)`` and wearers' frames ``(n, 10)`` to probabilities"""
Settings = Callable[[onnxruntime.SessionOptions], None]

Level = onnxruntime.GraphOptimizationLevel


def _set(name: str, value: object) -> Settings:
    """Return what sets an option of a session."""
    return lambda options: setattr(options, name, value)


def _configure(**entries: str) -> Settings:
    """Return what sets entries ``session.*`` of a session's configuration."""

    def settings(options: onnxruntime.SessionOptions) -> None:
        for name, value in entries.items():
            options.add_session_config_entry(f"session.{name.replace('__', '.')}", value)

    return settings


SESSIONS: Final[Mapping[str, Settings]] = {
    "no optimisation by onnxruntime": _set("graph_optimization_level", Level.ORT_DISABLE_ALL),
    "no blocks of channels": _set("graph_optimization_level", Level.ORT_ENABLE_EXTENDED),
    "no spinning": _configure(intra_op__allow_spinning="0", inter_op__allow_spinning="0"),
    "denormals as zero": _configure(set_denormal_as_zero="1"),
    "no arena": _set("enable_cpu_mem_arena", False),
    "a memory plan for each batch size": _set("enable_mem_pattern", True),
}
"""By its name, what is set otherwise than `pipeline.models.classifier` does"""

_QUANTISED: Final = {
    "int8 LSTM": ("LSTM",),
    "int8 products": ("MatMul", "Gemm"),
    "int8 convolutions": ("Conv",),
}


def runs(path: Path, before: Path, folder: Path) -> dict[str, Run]:
    """Return by its name each form of a model, the first as it was and the second as it is.

    Args:
        path: the model's file.
        before: the same model's file of another checkout.
        folder: where forms of the file are kept.
    """
    found = {"before": _run(before), "now": _run(path)}
    optimised = folder / f"{path.stem}-optimised.onnx"
    _session(path, _set("optimized_model_filepath", str(optimised)))
    as_it_is = _set("graph_optimization_level", Level.ORT_DISABLE_ALL)
    found["optimised offline"] = _run(optimised, as_it_is)
    found |= _steps(before, folder) if path.stem in (AUTO_FAMILY, AUTO_FAMILY + ANY) else {}
    found |= {name: _run(path, settings) for name, settings in SESSIONS.items()}
    found["outputs preallocated"] = _bound(path)
    for name, kinds in _QUANTISED.items():
        quantised = folder / f"{path.stem}-{kinds[0]}.onnx"
        quantize_dynamic(path, quantised, op_types_to_quantize=kinds, weight_type=QuantType.QInt8)
        found[name] = _run(quantised)
    halved = folder / f"{path.stem}-float16.onnx"
    with warnings.catch_warnings(action="ignore"):  # of numbers too small
        onnx.save_model(convert_float_to_float16(onnx.load(path), keep_io_types=True), halved)
    return found | {"float16": _run(halved)}


def _steps(before: Path, folder: Path) -> dict[str, Run]:
    """Return the form after each step of `faster`, after those before it and the newest views."""
    model = with_newest_views(onnx.load(before))
    forms = {"graph: newest views": model} if len(model.graph.input) == 2 else {}
    for step in STEPS[:-1]:  # the last gives names
        graph = Graph(model)
        step(graph)
        if graph.model() == model:
            continue
        model = graph.model()
        forms[f"graph: {step.__name__.strip('_').replace('_', ' ')}"] = model
    found = {}
    for place, (name, form) in enumerate(forms.items()):
        file = folder / f"{before.stem}-{place}.onnx"
        onnx.save_model(form, file)
        found[name] = _run(file)
    return found


def _session(path: Path, *settings: Settings) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False
    for setting in settings:
        setting(options)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(path: Path, *settings: Settings) -> Run:
    """Return what runs a file as `pipeline.models.classifier` does."""
    session = _session(path, *settings)
    names = [INPUT_NAME, WEARER_NAME][: len(session.get_inputs())]

    def run(*inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        given = dict(zip(names, inputs, strict=False))
        probabilities: NDArray[np.float32] = session.run([OUTPUT_NAME], given)[0]
        return probabilities

    return run


def _bound(path: Path) -> Run:
    """Return what runs a file with inputs and outputs that are bound to their memory."""
    session = _session(path)
    names = [INPUT_NAME, WEARER_NAME][: len(session.get_inputs())]
    n_activities = session.get_outputs()[0].shape[1]
    binding = session.io_binding()

    def run(*inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        given = np.empty((len(inputs[0]), n_activities), np.float32)
        for name, values in zip(names, inputs, strict=False):
            binding.bind_cpu_input(name, values)
        address = given.ctypes.data
        binding.bind_output(OUTPUT_NAME, "cpu", 0, np.float32, given.shape, address)
        session.run_with_iobinding(binding)
        return given

    return run
