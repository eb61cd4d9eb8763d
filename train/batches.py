"""Instances -> batches: what each method sees at each step, fixed by (seed, step)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train.crops import CropConfig, augment, normalize, to_crop, training_crop, warp
from train.instances import Instance

# Share of a batch that is real, twin and synthetic.
COMPOSITION = {
    "synthetic": (0, 0, 1),
    "real": (1, 0, 0),
    "finetune": (1, 0, 0),
    "mixed": (1 / 2, 0, 1 / 2),
    "mixed_layers": (1 / 2, 0, 1 / 2),
    "mixed_twins": (3 / 8, 3 / 8, 1 / 4),
    "mapping": (3 / 8, 3 / 8, 1 / 4),
}
METHODS = tuple(COMPOSITION)
WITH_MAPPING = ("mapping", "mixed_layers")  # methods whose network has g


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (n, 3, size, size) in [-1, 1), corner targets (n, s, 16); twins[i] pairs real[i]."""

    real: Tensor
    real_targets: Tensor
    twins: Tensor
    synthetic: Tensor
    synthetic_targets: Tensor


class Batches:
    """Draws batches; batch `step` is the same whenever it is asked for."""

    def __init__(
        self,
        real: Sequence[Instance],
        twins: Sequence[Sequence[Instance]],
        synthetic: Sequence[Instance],
        method: str,
        size: int,
        crop: CropConfig,
        seed: int,
    ) -> None:
        """
        Args:
            twins: for each real instance its synthetic twins.
            size: images in a batch.
        """
        real_share, twin_share, _ = COMPOSITION[method]
        self.n_real, self.n_twins = round(real_share * size), round(twin_share * size)
        self.n_synthetic = size - self.n_real - self.n_twins
        for count, found, what in (
            (self.n_real, real, "real instances"),
            (self.n_twins, twins, "twins"),
            (self.n_synthetic, synthetic, "synthetic instances"),
        ):
            if count and not found:
                raise ValueError(f"method {method} needs {what}, got none")
        self.real, self.twins, self.synthetic = real, twins, synthetic
        self.crop, self.seed = crop, seed

    def fingerprint(self) -> dict[str, str]:
        """What is drawn from, down to the pixels: the same texts for the same images only."""
        twins = [twin for of_one in self.twins for twin in of_one]
        used = {
            "real": self.real if self.n_real else [],
            "twins": twins if self.n_twins else [],
            "synthetic": self.synthetic if self.n_synthetic else [],
        }
        return {name: _fingerprint(instances) for name, instances in used.items()}

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        rng = np.random.default_rng([self.seed, step])
        chosen = _draw(rng, len(self.real), self.n_real)
        real, real_targets, crops = self._cut([self.real[i] for i in chosen], rng)

        # The same crop for both images of a pair.
        pairs = chosen[: self.n_twins]
        picked = [self.twins[i][int(rng.integers(len(self.twins[i])))] for i in pairs]
        twins = self._warped(picked, crops[: self.n_twins])

        drawn = _draw(rng, len(self.synthetic), self.n_synthetic)
        synthetic, synthetic_targets, _ = self._cut([self.synthetic[i] for i in drawn], rng)

        return Batch(
            real=_to_tensor(augment(real, np.random.default_rng([self.seed, step, 1]))),
            real_targets=real_targets,
            # The same draws: a pair shares exposure and contrast as it shares its crop.
            twins=_to_tensor(augment(twins, np.random.default_rng([self.seed, step, 1]))),
            synthetic=_to_tensor(augment(synthetic, np.random.default_rng([self.seed, step, 2]))),
            synthetic_targets=synthetic_targets,
        )

    def _cut(self, instances: Sequence[Instance], rng: np.random.Generator):
        """Crops under random jitter, their targets (n, s, 16) and the affine maps."""
        crops = [training_crop(rng, instance.box, self.crop) for instance in instances]
        targets = [
            to_crop(instance.corners, crop, self.crop.size).reshape(len(instance.corners), -1)
            for instance, crop in zip(instances, crops, strict=True)
        ]
        stacked = np.stack(targets).astype(np.float32) if targets else np.zeros((0, 1, 16), "f4")
        return self._warped(instances, crops), torch.from_numpy(stacked), crops

    def _warped(self, instances: Sequence[Instance], crops: Sequence[np.ndarray]) -> np.ndarray:
        size = self.crop.size
        images = [cut(i, crop, size) for i, crop in zip(instances, crops, strict=True)]
        return normalize(np.stack(images)) if images else np.zeros((0, size, size, 3), np.float32)


def cut(instance: Instance, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """Crop an instance out of its window: (size, size, 3) uint8."""
    crop_from_window = crop_from_image.copy()
    crop_from_window[:, 2] += crop_from_image[:, :2] @ instance.corner
    return warp(instance.window, crop_from_window, size)


def _fingerprint(instances: Sequence[Instance]) -> str:
    checksum = 0
    for instance in instances:
        checksum = zlib.crc32(instance.corners.tobytes(), checksum)
        checksum = zlib.crc32(instance.window.tobytes(), checksum)
    return f"{len(instances)} instances ({checksum:08x})"


def _draw(rng: np.random.Generator, among: int, count: int) -> list[int]:
    return rng.integers(among, size=count).tolist() if count else []


def _to_tensor(images: np.ndarray) -> Tensor:
    """(n, h, w, 3) numpy -> (n, 3, h, w) torch; the memory keeps channels last."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
