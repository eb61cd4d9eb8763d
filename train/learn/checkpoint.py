"""One file that holds a network, what it was trained for, and what is needed to go on exactly."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from render.errors import InputError
from render.whole_file import check_growth, whole_file
from train.learn.networks import PoseNet, build
from train.learn.targets import HandInfo, ObjectInfo, Target
from train.options import CropConfig, HandCropConfig

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
        }
        with whole_file(path) as partial:
            # Torch writes a file's name into it: this one, that the same network gives the same
            # bytes as ever.
            named = partial.with_name(f".{path.name}.partial")
            try:
                torch.save(record, named)
            except RuntimeError as error:  # of torch's own writer, which does not tell the reason
                check_growth(named)
                reason = str(error).splitlines()[0]
                raise InputError(f"{path}: cannot be written ({reason})") from None
            named.replace(partial)

    @staticmethod
    def load_finished(path: Path, device: torch.device | str = "cpu") -> "Checkpoint":
        """`load`; InputError too if the training was stopped on the way."""
        checkpoint = Checkpoint.load(path, device)
        steps = checkpoint.settings["steps"]
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
        try:
            record = torch.load(file, map_location=device, weights_only=True)
            target_class, crop_class = KINDS[record["kind"]]
            crop = crop_class(**record["crop"])
            target = target_class.from_record(record["target"])
            # f and g and h are told apart by name: g is there if its weights are.
            with_mapping = any(name.startswith("mapping.") for name in record["net"])
            net = build(record["network"], crop.size, with_mapping, target.outputs, target.channels)
            net.load_state_dict(record["net"])
        except Exception as error:
            raise InputError(f"{file} is no checkpoint of ours ({type(error).__name__})") from error
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
        )
