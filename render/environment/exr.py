"""Panoramas in OpenEXR: what a file may hold, and its colours."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.plain import shown

MAGIC = b"v/1\x01"
LARGEST_SIDE = 1 << 15  # pixels; a damaged header asks for more
COLORS = ("R", "G", "B")
SPECTRUM = "float16", "float32"
# Red, green, blue and white of ITU-R BT.709, which a file without chromaticities has.
PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
ALIKE = 0.01  # by which they may differ
FIX = "save it as one flat RGB image"


def read_exr(path: Path, content: bytes) -> np.ndarray:
    """The colours of an OpenEXR file: (h, w, 3) float32 linear RGB, unchecked.

    Its R, G and B, or Y for all three, half or float; alpha and other layers are left out.

    Raises:
        InputError: it is damaged or too large, has several parts, deep pixels, a data window that
            is not its display window, primaries other than BT.709's, or no such channels.
    """
    import OpenEXR

    damaged = f"{path}: damaged, or not an OpenEXR image"
    try:
        with _hushed():
            OpenEXR.setMaxImageSize(LARGEST_SIDE, LARGEST_SIDE)
            parts = OpenEXR.File(io.BytesIO(content), True, True, 0).parts
            faults = _faults(parts, {OpenEXR.scanlineimage, OpenEXR.tiledimage})
            if faults is None:
                channels = OpenEXR.File(io.BytesIO(content), True, False, 0).channels()
    # Whatever a binding of C++ makes of damaged bytes: ValueError, RuntimeError, UnicodeError, ...
    except Exception as error:
        raise InputError(damaged) from error
    if faults is not None:
        raise InputError(f"{path}: {faults}; {FIX}")
    pixels = [channels[name].pixels for name in _wanted(channels)]
    if any(part.dtype.name not in SPECTRUM for part in pixels):
        raise InputError(f"{path}: its colours are whole numbers; {FIX}, in half or float")
    return np.stack(pixels, axis=-1, dtype=np.float32)


def _faults(parts: list[Any], flat: set[Any]) -> str | None:
    """Why a file cannot be read, by its header; None where it can.

    flat: types of parts that are no deep ones.
    """
    if len(parts) != 1:
        return f"holds {len(parts)} parts"
    if parts[0].type() not in flat:
        return "its pixels are deep"
    header = parts[0].header
    data, display = (
        [corner.tolist() for corner in header[name]] for name in ("dataWindow", "displayWindow")
    )
    if data != display:
        return f"its data window {data} is not its display window {display}"
    found = {channel.name: channel for channel in header["channels"]}
    wanted = _wanted(found)
    if not wanted:
        names = shown(", ".join(found))
        return f"has the channels {names}, and neither R, G and B nor Y alone"
    if any((found[name].xSampling, found[name].ySampling) != (1, 1) for name in wanted):
        return "its channels are of a lower resolution"
    primaries = header.get("chromaticities", PRIMARIES)
    if not np.abs(np.subtract(primaries, PRIMARIES)).max() <= ALIKE:
        return "its primaries are not those of linear sRGB (BT.709)"
    return None


def _wanted(channels: dict[str, Any]) -> tuple[str, ...]:
    """The channels for red, green and blue; none where the file has no such."""
    if channels.keys() >= {*COLORS}:
        return COLORS
    return ("Y", "Y", "Y") if "Y" in channels and not {"RY", "BY"} & channels.keys() else ()


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without what the library prints of damaged files, on Python's output and on the process's.

    All of the process is silent meanwhile: not for threads.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed: there is nothing to hush
        with contextlib.redirect_stdout(io.StringIO()):
            yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(io.StringIO()):
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
