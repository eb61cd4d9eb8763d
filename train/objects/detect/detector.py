"""A trained detector: an image -> where its object is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from render.frame import Box
from train.objects.crops import normalize
from train.objects.detect.checkpoint import FILE, DetectorCheckpoint
from train.objects.detect.network import peaks, to_input

SURE = 0.35  # score from which something is taken for the object
MOST = 20  # peaks that are looked at in an image
SAME = 0.5  # overlap from which two boxes are of one object


@dataclass(frozen=True)
class Found:
    """Where an object may be. box: x, y, width, height in pixels of the image, within it. score: in
    (0, 1), higher is surer."""

    box: Box
    score: float

    @property
    def is_sure(self) -> bool:
        """Whether it is taken for the object."""
        return self.score >= SURE


class Detector:
    """Finds one object in colour images."""

    def __init__(self, checkpoint: DetectorCheckpoint, device: torch.device) -> None:
        self.target, self.size, self._device = checkpoint.target, checkpoint.size, device
        self._net = checkpoint.net.to(device).eval()

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "Detector":
        """The finished detector in a folder; InputError: there is none, or it is damaged."""
        return cls(DetectorCheckpoint.load_finished(folder / FILE), device)

    def candidates(self, rgb: np.ndarray) -> list[Found]:
        """All places in an image (H, W, 3) uint8 that may show the object, the surest first.

        Of places that overlap the surest stays.
        """
        small, scale = to_input(rgb, self.size)
        images = torch.from_numpy(normalize(small)[None]).permute(0, 3, 1, 2)  # (1, 3, h, w)
        with torch.inference_mode():
            logits, sides = self._net(images.to(self._device))
        heat = torch.sigmoid(logits)[0].cpu().numpy()
        boxes, scores = peaks(heat, sides[0].cpu().numpy(), MOST)
        limit = np.array(rgb.shape[1::-1])
        kept: list[Found] = []
        for box, score in zip(boxes, scores.tolist(), strict=True):
            low = np.clip((box[:2] + 0.5) / scale - 0.5, 0, limit - 1)
            high = np.clip((box[:2] + box[2:] + 0.5) / scale - 0.5, low + 1, limit)
            found: Box = (*low.tolist(), *(high - low).tolist())
            if all(overlap(found, other.box) < SAME for other in kept):
                kept.append(Found(found, score))
        return kept

    def find(self, rgb: np.ndarray) -> Found:
        """The surest place in an image (H, W, 3) uint8; whether it is the object, it says."""
        return self.candidates(rgb)[0]


def overlap(one: Box, other: Box) -> float:
    """Intersection of two boxes over their union."""
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    either = one[2] * one[3] + other[2] * other[3] - shared
    return shared / either if either > 0 else 0.0
