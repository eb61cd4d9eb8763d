"""Checkpoint and hand frames -> joints."""

from collections.abc import Sequence

import numpy as np
import torch

from train.hands.crops import HandCrops, HandFrame
from train.learn.checkpoint import Checkpoint

NEAREST = 0.05  # metres from the camera


def predict_joints(
    checkpoint: Checkpoint, frames: Sequence[HandFrame], device: torch.device, batch: int = 128
) -> np.ndarray:
    """Read joints from frames as from real ones, each from the cube around its centre.

    Returns:
        (n, j, 3) metres, camera frame: the network's joints in its own order. They are in front of
        the camera and within twice the cube, whatever the network says.

    Raises:
        InputError: the network reads something else than joints.
    """
    crops = HandCrops(checkpoint.crop, checkpoint.hand)
    net = checkpoint.net.to(device).eval()
    joints = np.zeros((len(frames), len(checkpoint.hand.joints), 3))
    with torch.inference_mode():
        for first in range(0, len(frames), batch):
            part = frames[first : first + batch]
            cubes = [crops.plain(frame) for frame in part]
            pictures = np.stack([crops.image(f, c) for f, c in zip(part, cubes, strict=True)])
            images = torch.from_numpy(pictures).permute(0, 3, 1, 2).to(device)  # (b, 1, s, s)
            outputs = net(images).float().cpu().numpy().reshape(len(part), -1, 3)
            for i, (cube, output) in enumerate(zip(cubes, outputs, strict=True)):
                joints[first + i] = cube.restore(np.clip(output.astype(np.float64), -2, 2))
    joints[..., 2] = np.maximum(joints[..., 2], NEAREST)
    return joints
