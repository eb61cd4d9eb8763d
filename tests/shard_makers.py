"""Shards for tests of render/dataset/shards.py, in a module that workers import fast."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from render.errors import InputError, PartError


@dataclass(frozen=True)
class Task:
    """Notes in `folder` who did it, unless its name says what else happens."""

    name: str
    folder: Path


class TaskMaker:
    def __init__(self, first: Task) -> None:
        if first.name == "unopenable":
            raise InputError("no OpenGL here")

    def close(self) -> None: ...

    def make(self, task: Task) -> None:
        note = task.folder / task.name
        seen = note.exists()
        with note.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if task.name == "kills" or (task.name == "kills once" and not seen):
            os.kill(os.getpid(), signal.SIGKILL)
        if task.name.startswith("threads"):
            with (task.folder / "told").open("a") as file:
                file.write(os.environ.get("LP_NUM_THREADS", "nothing") + "\n")
        if task.name == "exits":
            os._exit(7)
        if task.name == "bad input":
            raise InputError("cut.png: the image is truncated")
        if task.name.startswith("without"):
            raise PartError(f"{task.name[8:]}: the image is truncated")
        if task.name == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device", "rgb.png")
        if task.name == "bug":
            raise ValueError("canvas must be square")
        if task.name.startswith("slow"):
            time.sleep(60)
