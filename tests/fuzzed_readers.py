"""Readers with a fault each, for the test of what finds them, in a module that workers import."""

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.fuzz_reading import Reader
from render.errors import InputError
from render.json_file import read_json


def make(folder: Path) -> None:
    (folder / "a.json").write_text(json.dumps({"count": 3, "names": ["x", "y"]}))


def _when_damaged(file: Path) -> bool:
    return file.read_bytes() != b'{"count": 3, "names": ["x", "y"]}'


def sound(file: Path) -> object:
    try:
        return read_json(file)["count"]
    except (KeyError, RecursionError):
        raise InputError(f"{file}: has no count") from None


def raises(file: Path) -> object:
    return {"a": 1}["b"] if _when_damaged(file) else None


def loops(file: Path) -> None:
    while _when_damaged(file):
        pass


def eats_memory(file: Path) -> object:
    return np.ones(1 << 28) if _when_damaged(file) else None


def hides_memory(file: Path) -> object:
    try:
        return eats_memory(file)
    except MemoryError:
        raise InputError(f"{file}: is damaged") from None


def dies(file: Path) -> None:
    if _when_damaged(file):
        os.kill(os.getpid(), signal.SIGSEGV)


def starts_program(file: Path) -> None:
    if _when_damaged(file):
        subprocess.run(["true"], check=False)


def says_two_lines(file: Path) -> None:
    if _when_damaged(file):
        raise InputError(f"{file}: is damaged\nand has two lines")


def says_no_name(file: Path) -> None:
    if _when_damaged(file):
        raise InputError("it is damaged")


def refuses_all(file: Path) -> None:
    raise InputError(f"{file}: no")


def reader(read) -> Reader:
    return Reader(read.__name__, make, "*.json", read)
