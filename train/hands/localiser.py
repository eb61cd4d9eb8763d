"""Where the hand is in a depth image, with nothing known of it: what its crops are centred on.

First the centre of mass of the nearest thing of a hand's size, as DeepPrior++ finds it; then a
small network looks at a cube around it, and says where the palm is. It is trained on synthetic
hands with forearm, body and a second hand in view.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from render.formats.nyu import CAMERA, JOINTS
from render.formats.nyu_dataset import NyuSplit
from render.hand.clutter import add_clutter
from render.progress import progress
from train.hand_options import LocaliserConfig
from train.hands.crops import HandCrops, HandFrame, hand_frame
from train.hands.predict import predict_joints
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.methods import train_network
from train.learn.targets import HandInfo
from train.learn.trainer import Training
from train.options import TrainConfig

NEAR, FAR = 0.3, 1.5  # metres in which a hand is looked for
BAND = 0.15  # metres of depth that a hand fills at most, or nearly so
STEP = 0.03  # metres by which the band moves on while there is nothing in it
AREA = 0.0015  # square metres that are seen of a hand at least
CUBE = 0.3  # metres: the centre of mass is that of what lies in a cube of this side around it
EVERY = 2  # which row and column is looked at for it
ROUNDS = 3  # of moving that cube to its centre of mass
NOWHERE = np.array([0.0, 0.0, 0.7])  # the centre where nothing is seen, metres

PALM = HandInfo((JOINTS.index("palm"),))


class Localiser:
    """Finds the centre of the hand in depth images.

    checkpoint: of the network that moves the centre of mass to the palm; None leaves it.
    """

    def __init__(self, checkpoint: Checkpoint | None, device: torch.device) -> None:
        self.checkpoint, self.device = checkpoint, device

    @classmethod
    def of_run(cls, run: Path | None, device: torch.device) -> "Localiser":
        """The finished network of a run; without one, centres of mass.

        Raises:
            InputError: the run is not finished, or holds no network.
        """
        return cls(None if run is None else Checkpoint.load_finished(run, device), device)

    def locate(self, depths: Sequence[np.ndarray]) -> np.ndarray:
        """Depth images (480, 640) in metres -> (n, 3) centres in metres, camera frame."""
        return self.refine(depths, mass_centers(depths))

    def refine(self, depths: Sequence[np.ndarray], centers: np.ndarray) -> np.ndarray:
        """Move (n, 3) centres of mass to the palm."""
        if self.checkpoint is None:
            return centers
        nothing = np.zeros((len(JOINTS), 3))
        frames = [
            hand_frame(0, depth, center, nothing, self.checkpoint.crop)
            for depth, center in zip(depths, centers, strict=True)
        ]
        palms = predict_joints(self.checkpoint, frames, self.device)[:, 0]
        palms[:, 2] = np.clip(palms[:, 2], NEAR, FAR)
        return palms


def mass_centers(depths: Sequence[np.ndarray]) -> np.ndarray:
    """`center_of_mass` of depth images, (n, 3) metres; NOWHERE where there is none."""
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(center_of_mass, depths))
    return np.array([NOWHERE if center is None else center for center in found]).reshape(-1, 3)


def center_of_mass(depth: np.ndarray) -> np.ndarray | None:
    """Centre of mass of the nearest blob that is as large as a hand.

    Args:
        depth: (480, 640) metres, 0 where nothing was seen.

    Returns:
        (3,) metres, camera frame; None where no blob is large enough.
    """
    depth = depth[::EVERY, ::EVERY]
    seen = (depth >= NEAR) & (depth <= FAR)
    blob = _nearest_blob(depth, seen)
    if blob is None:
        return None
    points = _rays()[seen] * depth[seen, None]  # (n, 3)
    center = points[blob[seen]].mean(axis=0)
    for _ in range(ROUNDS):
        inside = (np.abs(points - center) <= CUBE / 2).all(axis=-1)
        if not inside.any():
            break
        center = points[inside].mean(axis=0)
    return center


def train_localiser(
    config: LocaliserConfig,
    options: TrainConfig,
    synthetic: NyuSplit,
    out: Path,
    seed: int,
    device: torch.device,
) -> Localiser:
    """Train the network on synthetic frames, or go on where it stopped."""
    frames = cluttered_frames(config, synthetic, seed)
    crops = HandCrops(config.crop, PALM)
    training = Training("synthetic", config.steps, PALM, options, config.crop, seed)
    training = replace(training, config=replace(options, network="small"))
    file = train_network(training, Inputs(crops, synthetic=frames), out, device)
    return Localiser(Checkpoint.load(file, device), device)


def cluttered_frames(config: LocaliserConfig, hands: NyuSplit, seed: int) -> list[HandFrame]:
    """Lone synthetic hands with clutter around them, centred on their centre of mass.

    Frame i depends on (seed, i) only.
    """
    joints = hands.joints
    frames = []
    for i in progress(range(config.frames), config.frames, "frames for the localiser"):
        rng = np.random.default_rng([seed, i, 31])
        one, other = rng.integers(len(joints), size=2).tolist()
        second = (hands.read_depth(other), joints[other])
        depth = add_clutter(rng, hands.read_depth(one), joints[one], second, CAMERA)
        center = center_of_mass(depth)
        if center is not None:
            frames.append(hand_frame(i, depth, center, joints[one], config.crop))
    return frames


@lru_cache(maxsize=1)
def _rays() -> np.ndarray:
    """(240, 320, 3) rays with z = 1 through the pixels that are looked at."""
    return CAMERA.unproject(np.ones((CAMERA.height, CAMERA.width)))[::EVERY, ::EVERY]


def _nearest_blob(depth: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """Mask of the largest connected blob in the nearest band of depth that has one of size AREA."""
    if not seen.any():
        return None
    pixel_area = (EVERY * depth) ** 2 / np.prod(np.diag(CAMERA.K)[:2])  # square metres
    for nearest in np.arange(float(depth[seen].min()), FAR, STEP):
        band = seen & (depth >= nearest) & (depth <= nearest + BAND)
        count, labels = cv2.connectedComponents(band.astype(np.uint8))
        area = np.bincount(labels.ravel(), np.where(band, pixel_area, 0).ravel(), minlength=count)
        largest = int(area.argmax())
        if area[largest] >= AREA:
            return labels == largest
    return None
