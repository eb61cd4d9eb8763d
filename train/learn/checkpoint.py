"""One file that holds a network, what it was trained for, and what is needed to go on exactly."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from render import plain
from render.config import OptionError, fill
from render.errors import InputError
from render.plain import clipped
from train.hand_options import HandCropConfig
from train.learn.adversary import build_discriminator
from train.learn.checkpoint_record import CHECKPOINT, check_state
from train.learn.networks import PoseNet, build
from train.learn.targets import HandInfo, ObjectInfo, Target
from train.learn.torch_file import read_torch, write_torch
from train.options import CropConfig

LARGEST_CROP = 1 << 13  # pixels, of a side

# What a network may be trained for: its target and how its crops are made.
KINDS: dict[str, tuple[Any, Any]] = {
    "object": (ObjectInfo, CropConfig),
    "hand": (HandInfo, HandCropConfig),
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network at a step of its training.

    settings: the configs it was trained with, as plain data, compared on resuming.
    optimizer: the optimiser's state, for going on. best: with train.validation the error, step and
    weights ("net") at which the held-out frames were read best; a finished network has these.
    seen: words for the real frames that it has seen, None of a network that nobody kept them of.
    discriminator: weights of the adversary's, for going on; None of a method without one.
    """

    net: PoseNet
    network: str
    crop: Any
    target: Target
    method: str
    step: int
    settings: dict[str, Any]
    optimizer: dict[str, Any]
    best: dict[str, Any] | None = None
    seen: tuple[str, ...] | None = None
    discriminator: dict[str, torch.Tensor] | None = None

    @property
    def object(self) -> ObjectInfo:
        """The object that it reads.

        Raises:
            InputError: it reads something else.
        """
        if not isinstance(self.target, ObjectInfo):
            raise InputError(f"this network reads {self.target.name}, not an object's pose")
        return self.target

    @property
    def hand(self) -> HandInfo:
        """The joints that it reads.

        Raises:
            InputError: it reads something else.
        """
        if not isinstance(self.target, HandInfo):
            raise InputError(f"this network reads {self.target.name}, not the joints of a hand")
        return self.target

    def save(self, path: Path) -> None:
        """Write the file whole, or leave the old one.

        Raises:
            InputError: it cannot be written.
        """
        record = {
            "net": self.net.state_dict(),
            "network": self.network,
            "kind": self.target.kind,
            "crop": asdict(self.crop),
            "target": self.target.record(),
            "method": self.method,
            "step": self.step,
            "settings": self.settings,
            "optimizer": self.optimizer,
            "best": self.best,
            "seen": None if self.seen is None else list(self.seen),
        }
        if self.discriminator is not None:
            record["discriminator"] = self.discriminator
        write_torch(path, record)

    @staticmethod
    def load_finished(path: Path, device: torch.device | str = "cpu") -> "Checkpoint":
        """`load`; InputError too if the training was stopped on the way."""
        checkpoint = Checkpoint.load(path, device)
        checked = plain.record({"steps": plain.whole(0)}, others=True)
        steps = checked(checkpoint.settings, f"{path}: settings")["steps"]
        if checkpoint.step < steps:
            raise InputError(
                f"{path} was stopped after {checkpoint.step} of {steps} steps;"
                " run its `train` command again to finish it"
            )
        return checkpoint

    @staticmethod
    def load(path: Path, device: torch.device | str = "cpu") -> "Checkpoint":
        """Read a checkpoint, or the one in a run folder.

        Raises:
            InputError: there is none, or it is damaged.
        """
        file = path / "checkpoint.pt" if path.is_dir() else path
        if not file.is_file():
            raise InputError(
                f"{path} holds no checkpoint.pt; give the folder of a finished `train`"
            )
        record = CHECKPOINT(read_torch(file, device), f"{file}: checkpoint")
        target_class, crop_class = KINDS[record["kind"]]
        target = target_class.from_record(record["target"], f"{file}: target")
        try:
            crop = fill(crop_class, record["crop"], "crop")
        except OptionError as error:
            raise InputError(f"{file}: {error.message}") from None
        plain.whole(1, LARGEST_CROP)(crop.size, f"{file}: crop.size")
        # f and g and h are told apart by name: g is there if its weights are.
        with_mapping = any(name.startswith("mapping.") for name in record["net"])
        size = crop.size, with_mapping, target.outputs, target.channels
        try:
            with torch.device("meta"):  # shapes alone, before memory is taken for them
                expected = build(record["network"], *size)
        except (InputError, RuntimeError, OverflowError) as error:
            raise InputError(f"{file}: {clipped(error)}") from None
        check_state(record["net"], expected, f"{file}: net")
        if record.get("best") is not None:
            check_state(record["best"]["net"], expected, f"{file}: best.net")
        if record.get("discriminator") is not None:
            with torch.device("meta"):
                discriminator = build_discriminator(record["network"])
            check_state(record["discriminator"], discriminator, f"{file}: discriminator")
        net = build(record["network"], *size)
        net.load_state_dict(record["net"])
        return Checkpoint(
            net=net.to(device),
            network=record["network"],
            crop=crop,
            target=target,
            method=record["method"],
            step=record["step"],
            settings=record["settings"],
            optimizer=record["optimizer"],
            best=record.get("best"),
            seen=None if record.get("seen") is None else tuple(record["seen"]),
            discriminator=record.get("discriminator"),
        )
