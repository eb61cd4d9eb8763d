"""What was fitted to real hands, in files beside their twins; and gestures drawn near to those.

OUT/SPLIT/fits/*.npz hold, of some frames of one person, numbers, pose, angles, shape, cam_from_hand
and residual_mm as `render.hand.fit.HandFit` has them, and hand, the digest of the model.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from render.array_file import Wanted, read_npz
from render.errors import InputError
from render.hand.contact import HandCapsules
from render.hand.fit import HandFit
from render.hand.model import HandModel, hand_digest
from render.hand.pose import HandAngles, hand_angles, palm_frame
from render.hand.sample import perturb_angles
from render.plain import shown
from render.whole_file import whole_file

FITS = "fits"
DISTURBED = np.radians(10)  # of every angle, standard deviation; ours, for want of a source
ROTATION_SLACK = 1e-3
LARGEST_SHAPE = 100.0  # of a coefficient; those of people are within a few units


@dataclass(frozen=True, eq=False)
class RealGestures:
    """How real hands were bent and turned.

    angles: (N, D) radians. cam_from_palm: (N, 3, 3), from the axes of `palm_frame`. digest: of all.
    """

    angles: np.ndarray
    cam_from_palm: np.ndarray
    digest: str

    def draw(
        self, rng: np.random.Generator, hand: HandAngles, capsules: HandCapsules
    ) -> tuple[np.ndarray, np.ndarray]:
        """One of them, its articulation disturbed: (D,) angles, and its own cam_from_palm."""
        i = int(rng.integers(len(self.angles)))
        disturbed = perturb_angles(rng, hand, capsules, self.angles[i : i + 1], DISTURBED)
        return disturbed[0], self.cam_from_palm[i]


def write_fits(path: Path, numbers: tuple[int, ...], fit: HandFit, model: HandModel) -> None:
    """Write the fits of some frames, whole or not at all."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            numbers=np.array(numbers),
            pose=fit.pose,
            angles=fit.angles,
            shape=fit.shape,
            cam_from_hand=fit.cam_from_hand,
            residual_mm=fit.residual_mm,
            hand=np.array(hand_digest(model)),
        )


def read_gestures(folder: Path, model: HandModel) -> RealGestures:
    """All gestures of a split of twins.

    Args:
        folder: of the split, OUT/train for instance.

    Raises:
        InputError: it has no fits, or they are malformed or of another hand.
    """
    paths = sorted((folder / FITS).glob("*.npz"))
    if not paths:
        raise InputError(
            f"hand_scene.poses: {folder} holds no {FITS}/*.npz; give OUT/train, or OUT/test, of"
            " `pair --real nyu --out OUT`"
        )
    wanted = {
        "angles": Wanted(("frames", len(hand_angles(model).joints)), "f"),
        "shape": Wanted((model.shape_size,), "f"),
        "cam_from_hand": Wanted(("frames", 4, 4), "f"),
    }
    angles, turns, made = [], [], hashlib.blake2b(digest_size=8)
    for path in paths:
        if str(_read(path, {"hand": Wanted((), "U")})["hand"]) != hand_digest(model):
            raise InputError(
                f"{path}: fitted with another hand than {model.name}, {model.side}; pair with it"
            )
        fits = _read(path, wanted)
        if np.abs(fits["shape"]).max(initial=0) > LARGEST_SHAPE:
            raise InputError(f"{path}: shape is that of no hand, {shown(fits['shape'].tolist())}")
        palm = palm_frame(model, fits["shape"])[1]
        turned = fits["cam_from_hand"][:, :3, :3] @ palm
        if not np.allclose(turned.swapaxes(1, 2) @ turned, np.eye(3), atol=ROTATION_SLACK):
            raise InputError(f"{path}: cam_from_hand and shape turn a hand by what is no rotation")
        angles.append(fits["angles"])
        turns.append(turned)
        made.update(angles[-1].tobytes() + turns[-1].tobytes())
    return RealGestures(np.concatenate(angles), np.concatenate(turns), made.hexdigest())


def _read(path: Path, wanted: Mapping[str, Wanted]) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, wanted)
    except InputError as error:
        raise InputError(f"{error}; make the twins again, elsewhere") from None
