"""Files of torch.save, written whole and read without trust: plain data and tensors, none executed.

`torch.load(weights_only=True)` runs no code, but takes whatever sizes a file names. So its pickle
is looked at first: which classes it names, and that no step takes more than the file holds.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from render.errors import InputError
from render.formats.plain_pickle import UNUSED, check_steps
from render.plain import clipped
from render.whole_file import check_growth, whole_file

# How files begin that torch wrote before version 1.6; torchvision's weights are such.
OLD_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
OLD_PARTS = 4  # pickles after it: version, machine, content, keys of storages
NAMES = re.compile(
    r"collections OrderedDict|torch (?:\w+Storage|Size|\w+Tensor)"
    r"|torch\._utils _rebuild_(?:tensor_v2|parameter)|torch\.storage \w+"
)
NEVER = (UNUSED - {"BINPERSID"}) | {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
LARGEST_PICKLE = 1 << 26  # bytes


def write_torch(path: Path, record: Any) -> None:
    """Write plain data and tensors by torch.save: the file whole, or the old one is left.

    Raises:
        InputError: it cannot be written.
    """
    with whole_file(path) as partial:
        # Torch writes a file's name into it: this one, that the same network gives the same bytes
        # as ever.
        named = partial.with_name(f".{path.name}.partial")
        try:
            torch.save(record, named)
        except RuntimeError as error:  # of torch's own writer, which does not tell the reason
            check_growth(named)
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: cannot be written ({reason})") from None
        named.replace(partial)


def read_torch(path: Path, device: torch.device | str = "cpu", old: bool = False) -> Any:
    """What torch.save wrote: numbers, text, lists, dicts and tensors.

    Args:
        old: take a file of before torch 1.6 too.

    Raises:
        InputError: the file is missing or damaged, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            if old and file.read(len(OLD_MAGIC)) == OLD_MAGIC:
                _check_old(file.read(LARGEST_PICKLE))
            else:
                _check(path)
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch and zipfile raise many kinds for a damaged one
        reason = clipped(str(error).partition("\n")[0] or type(error).__name__)
        raise InputError(f"{path}: no file of torch.save, or damaged ({reason})") from None


def _check(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("it promises more than it holds")
        pickles = [member for member in members if member.filename.endswith("/data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > LARGEST_PICKLE:
            raise ValueError("it has no data.pkl of a usual size")
        check_steps(archive.read(pickles[0]), unused=NEVER, names=NAMES)


def _check_old(content: bytes) -> None:
    end = 0
    for _ in range(OLD_PARTS):
        end = check_steps(content, end, unused=NEVER, names=NAMES)
