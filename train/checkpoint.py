"""One file that holds a network, what it was trained for, and what is needed to go on exactly."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.camera import Camera
from render.errors import InputError
from train.crops import CropConfig
from train.networks import PoseNet, build


@dataclass(frozen=True, eq=False)
class ObjectInfo:
    """What prediction must know of the object.

    box: (2, 3) corners, metres, object frame. camera: of the real frames it was trained on, for
    images that come without one; None where it saw no real frame.
    """

    obj_id: int
    box: np.ndarray
    camera: Camera | None = None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network at a step of its training.

    settings: the configs it was trained with, as plain data, compared on resuming.
    optimizer: the optimiser's state, for going on.
    """

    net: PoseNet
    network: str
    crop: CropConfig
    target: ObjectInfo
    method: str
    step: int
    settings: dict[str, Any]
    optimizer: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the file whole, or leave the old one."""
        camera = self.target.camera
        record = {
            "net": self.net.state_dict(),
            "network": self.network,
            "crop": asdict(self.crop),
            "target": {
                "obj_id": self.target.obj_id,
                "box": self.target.box.tolist(),
                "camera": None if camera is None else [camera.K.tolist(), *camera.size],
            },
            "method": self.method,
            "step": self.step,
            "settings": self.settings,
            "optimizer": self.optimizer,
        }
        partial = path.with_name(f".{path.name}.partial")
        torch.save(record, partial)
        os.replace(partial, path)

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
            crop = CropConfig(**record["crop"])
            # f and g and h are told apart by name: g is there if its weights are.
            with_mapping = any(name.startswith("mapping.") for name in record["net"])
            net = build(record["network"], crop.size, with_mapping)
            net.load_state_dict(record["net"])
            target = record["target"]
            camera = target["camera"] and Camera(
                np.array(target["camera"][0]), *target["camera"][1:]
            )
        except Exception as error:
            raise InputError(f"{file} is no checkpoint of ours ({type(error).__name__})") from error
        return Checkpoint(
            net=net.to(device),
            network=record["network"],
            crop=crop,
            target=ObjectInfo(target["obj_id"], np.array(target["box"]), camera),
            method=record["method"],
            step=record["step"],
            settings=record["settings"],
            optimizer=record["optimizer"],
        )
