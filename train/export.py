"""`export`: a trained network as ONNX, with a JSON beside it that says all that using it takes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from render.errors import InputError
from render.json_file import read_json, write_text
from render.whole_file import check_file, whole_file
from train.learn.checkpoint import Checkpoint
from train.learn.onnx_file import BATCH, INPUT, OPSET, OUTPUT, check_onnx, write_onnx
from train.objects.detect.beside import network_folder
from train.tasks import KINDS

FORMAT = "feature-mapping network, version 2"


def export_onnx(run: Path, file: Path) -> str:
    """Write a finished network as ONNX, and what a program must know to use it as JSON beside it.

    Args:
        run: the folder of a network, of its object, or of a run of one object, of which the best
            network is taken.

    Returns:
        Lines that say what was written, and how far onnxruntime reads it from torch.

    Raises:
        InputError: the run is not finished, the name is not an ONNX file's, or a package is
            missing.
    """
    if file.suffix.lower() != ".onnx":
        raise InputError(f"--onnx {file}: must end in .onnx; the JSON beside it is named like it")
    about_file = file.with_suffix(".json")
    for place in (file, about_file):
        check_file(place)
    if about_file.exists() and not _is_about(about_file):
        raise InputError(
            f"{about_file}: is there and not by `export`, which writes it; give another --onnx"
        )
    checkpoint = Checkpoint.load_finished(network_folder(run))
    net, target, size = checkpoint.net, checkpoint.target, checkpoint.crop.size
    with whole_file(file) as onnx_partial, whole_file(about_file) as about_partial:
        digest = write_onnx(onnx_partial, net, target.channels, size)
        off = check_onnx(onnx_partial, net, target.channels, size, file)
        write_text(about_partial, json.dumps(about(checkpoint, file, digest), indent=1) + "\n")
    batch = f"{INPUT} ({BATCH}, {target.channels}, {size}, {size})"
    checked = (
        "not compared with torch, as onnxruntime is not installed"
        if off is None
        else f"onnxruntime reads as torch does, within {off:.1g}"
    )
    return (
        f"{file}: {target.title}, opset {OPSET}, {batch} -> {OUTPUT} ({BATCH}, {target.outputs});"
        f" {checked}\n{about_file}: crop, camera and what the outputs mean"
    )


def _is_about(file: Path) -> bool:
    """Whether a JSON file says how a network of some version is used."""
    try:
        return str(read_json(file).get("format")).startswith(FORMAT.split(",")[0])
    except InputError:
        return False


def about(checkpoint: Checkpoint, file: Path, digest: str) -> Mapping[str, Any]:
    """What stands in the JSON beside a network's file.

    Args:
        digest: the file's SHA-256.
    """
    target, size = checkpoint.target, checkpoint.crop.size
    found = KINDS[target.kind].about(checkpoint)
    network = {
        "file": file.name,
        "sha256": digest,
        "opset": OPSET,
        "kind": checkpoint.network,
        "method": checkpoint.method,
        "step": checkpoint.step,
    }
    shape = [BATCH, target.channels, size, size]
    given = {"name": INPUT, "type": "float32", "shape": shape}
    said = {"name": OUTPUT, "type": "float32", "shape": [BATCH, target.outputs]}
    return {
        "format": FORMAT,
        "reads": target.kind,
        "network": network,
        **found,
        "input": given | {"axes": "image, channel, row, column"} | found["input"],
        "output": said | found["output"],
    }
