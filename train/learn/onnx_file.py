"""A network as an ONNX file, which other programs run without torch.

By torch's exporter of today (`dynamo`), which needs the packages onnx and onnxscript; the older one
is deprecated, and cannot take the convolutions of "lite", whose weights are computed.
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from render.errors import InputError
from train.learn.networks import PoseNet, evaluating

OPSET = 18
INPUT, OUTPUT = "image", "points"
BATCH = "n"  # the dimension that may be of any size
TOLERANCE = 1e-4  # between onnxruntime and torch, of outputs that are about 1
EXTRA = "pip install onnx onnxscript onnxruntime"


def write_onnx(path: Path, net: PoseNet, channels: int, size: int) -> str:
    """Write h(g(f(x))), as real images are read.

    Its input is (n, channels, size, size) float32, its output (n, outputs) float32, n any number.

    Returns:
        The file's SHA-256.

    Raises:
        InputError: a package that this needs is missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(f"ONNX files need the package {missing[0]}, which is missing: {EXTRA}")
    import onnx

    example = torch.zeros(2, channels, size, size)  # of one alone the batch would be fixed
    with evaluating(net), torch.inference_mode(False), torch.no_grad(), _quiet():
        program = torch.onnx.export(
            net,
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_sources(model)
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def check_onnx(path: Path, net: PoseNet, channels: int, size: int, named: Path) -> float | None:
    """Compare what onnxruntime reads with what torch does, for one random image and for three.

    Args:
        named: what the user knows the file by.

    Returns:
        The largest difference of an output, relative to the largest output where that is above 1;
        None where onnxruntime is not installed.

    Raises:
        InputError: it is above TOLERANCE.
    """
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for count in (1, 3):
        images = rng.uniform(-1, 1, (count, channels, size, size)).astype(np.float32)
        (found,) = session.run([OUTPUT], {INPUT: images})
        with evaluating(net):
            expected = net(torch.from_numpy(images)).numpy()
        off = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
        worst = max(worst, float(off))
    if not worst <= TOLERANCE:  # NaN, too
        raise InputError(
            f"{named}: not written, as onnxruntime {onnxruntime.__version__} reads it {worst:.2g}"
            f" away from torch, more than {TOLERANCE:g}; take another version of it"
        )
    return worst


def _forget_sources(model) -> None:
    """Leave out where in this program's files each operation stands."""
    graphs = [model.graph, *model.functions]
    for part in (model, *graphs, *(node for graph in graphs for node in graph.node)):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of packages that it does without, and of its own future."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
