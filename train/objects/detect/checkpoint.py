"""One file that holds a detector, and what is needed to go on with its training exactly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render import plain
from render.errors import InputError
from train.learn.checkpoint_record import TRAINED, check_state
from train.learn.targets import ObjectInfo
from train.learn.torch_file import read_torch, write_torch
from train.objects.detect.network import DetectorNet

FILE = "checkpoint.pt"
KIND = "detector"
LARGEST = 1 << 12  # pixels, of an input's longer side


def is_detector(folder: Path) -> bool:
    """Whether the checkpoint in a folder is a detector's; InputError: it is damaged."""
    file = folder / FILE
    if not file.is_file():
        return False
    record = read_torch(file)
    return isinstance(record, dict) and record.get("kind") == KIND


@dataclass(frozen=True, eq=False)
class DetectorCheckpoint:
    """A detector at a step of its training.

    target: the object that it finds. size: the longer side of its input, pixels. settings: what it
    was trained with, as plain data, compared on resuming. optimizer: the optimiser's state.
    """

    net: DetectorNet
    target: ObjectInfo
    size: int
    step: int
    settings: dict[str, Any]
    optimizer: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the file whole, or leave the old one; InputError: it cannot be written."""
        record = {
            "kind": KIND,
            "net": self.net.state_dict(),
            "target": self.target.record(),
            "size": self.size,
            "step": self.step,
            "settings": self.settings,
            "optimizer": self.optimizer,
        }
        write_torch(path, record)

    @staticmethod
    def load(file: Path) -> "DetectorCheckpoint":
        """Read a detector's checkpoint; InputError: it is missing, damaged or another's."""
        record = _RECORD(read_torch(file), f"{file}: checkpoint")
        net = DetectorNet()
        check_state(record["net"], net, f"{file}: net")
        net.load_state_dict(record["net"])
        target = ObjectInfo.from_record(record["target"], f"{file}: target")
        size, step = record["size"], record["step"]
        return DetectorCheckpoint(net, target, size, step, record["settings"], record["optimizer"])

    @staticmethod
    def load_finished(file: Path) -> "DetectorCheckpoint":
        """`load`; InputError too if the training was stopped on the way."""
        checkpoint = DetectorCheckpoint.load(file)
        steps = plain.record({"steps": plain.whole(0)}, others=True)(
            checkpoint.settings, f"{file}: settings"
        )["steps"]
        if checkpoint.step < steps:
            raise InputError(
                f"{file} was stopped after {checkpoint.step} of {steps} steps;"
                " run its command again to finish it"
            )
        return checkpoint


_RECORD = plain.record(
    {**TRAINED, "kind": plain.one_of((KIND,)), "size": plain.whole(16, LARGEST)}, others=True
)
