"""Depth images of a hand without labels -> joints that a network reads there, and the twins of
those that a drawing agrees with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.formats.nyu import EVALUATED as EVALUATED_IDS
from render.formats.nyu import joints_from_uvd, uvd_from_joints
from render.formats.nyu_dataset import SYNTHETIC, NyuSplit, read_uvd
from render.formats.nyu_joints import EVALUATED, NYU_JOINTS, label_uvd, lift_labels
from render.json_file import write_text
from train.hands.crops import HandCrops, HandFrame
from train.hands.data import at_centers_of, load_frames
from train.hands.pairs import Measured, fit_and_draw
from train.hands.predict import predict_joints
from train.hands.refine import camera_joints, learn_person
from train.hands.report import pair_sheet
from train.hands.score import joint_errors
from train.learn.checkpoint import Checkpoint
from train.learn.rounds import BELIEVED, LABELS, TRUTH, Pairs

WORST_MM = 40.0  # a pixel's depth is never farther off than this, nor what was not seen


@dataclass(frozen=True, eq=False)
class Labeller:
    """Labels frames of one person.

    frames: without labels; split: where they come from. labelled: those whose labels may be read.
    """

    hand: str
    crops: HandCrops
    split: NyuSplit
    frames: Sequence[HandFrame]
    labelled: NyuSplit

    def label(self, checkpoint: Checkpoint, folder: Path, device: torch.device) -> Pairs:
        """The frames whose joints are believed, and their twins; in `folder`, where what is
        finished is left, stay LABELS, believed.png, refused.png and twins/."""
        read = predict_joints(checkpoint, self.frames, device)
        points_m = lift_labels(uvd_from_joints(read))
        drawn = folder / "twins" / "train"
        person = learn_person(self.hand, self.labelled)
        centers = np.array([frame.center for frame in self.frames])
        measured = Measured(self.split, centers, self.crops.config.cube_mm / 2000)
        fitted = fit_and_draw(self.hand, person, points_m, measured, drawn)
        joints = camera_joints(fitted)  # (n, 14, 3)
        real = [
            replace(frame, joints=of_it) for frame, of_it in zip(self.frames, joints, strict=True)
        ]
        split = replace(self.split, folder=drawn, stream=SYNTHETIC, uvd=_spread(label_uvd(fitted)))
        twins = load_frames(split, self.crops.config, at_centers_of(real))
        away_mm = np.array([self._disagreement(r, t) for r, t in zip(real, twins, strict=True)])
        threshold = float(np.percentile(away_mm, BELIEVED))
        believed = away_mm <= threshold
        self._leave(folder, threshold, away_mm, joints)
        for name, which in (("believed", believed), ("refused", ~believed)):
            some = np.flatnonzero(which)
            if len(some):
                shown, drawn_there = [real[i] for i in some], [[twins[i]] for i in some]
                pair_sheet(shown, drawn_there, [], self.crops, folder / f"{name}.png", name)
        chosen = np.flatnonzero(believed)
        return Pairs([real[i] for i in chosen], [[twins[i]] for i in chosen])

    def _disagreement(self, real: HandFrame, twin: HandFrame) -> float:
        """Mean difference of depth over the drawn hand, mm: what an image shows there that is
        nearer or farther, or nothing at all, is WORST_MM off at most."""
        crop = self.crops.plain(real)
        seen, drawn = self.crops.image(real, crop), self.crops.image(twin, crop)
        is_hand = drawn < 1
        if not is_hand.any():
            return WORST_MM
        away_mm = 1000 * crop.half * np.abs(seen - drawn)[is_hand]
        return float(np.minimum(away_mm, WORST_MM).mean())

    def _leave(
        self, folder: Path, threshold: float, away_mm: np.ndarray, joints: np.ndarray
    ) -> None:
        rows = [
            {"frame": number, "disagreement_mm": round(mm, 3)}
            for number, mm in zip(self.split.numbers, away_mm.tolist(), strict=True)
        ]
        write_text(folder / LABELS, json.dumps({"threshold_mm": threshold, "frames": rows}) + "\n")
        compare_with_truth(self.split, joints, away_mm <= threshold, folder)


def compare_with_truth(
    split: NyuSplit, joints: np.ndarray, believed: np.ndarray, folder: Path
) -> None:
    """Leave TRUTH in a folder, of the frames whose joints the dataset knows, if any: how far off
    what was read is, believed and refused. For the reader of a run, never for its training.

    Args:
        joints: (n, 14, 3) metres, camera frame. believed: (n,) bool.
    """
    if not (split.folder / "joint_data.mat").is_file():
        return
    uvd = read_uvd(split.folder)[0][:, EVALUATED_IDS]
    known = np.flatnonzero(np.isfinite(uvd).all(axis=(1, 2)) & (uvd[..., 2] > 0).all(axis=1)) + 1
    of_known = np.isin(split.numbers, known)
    if not of_known.any():
        return
    true = joints_from_uvd(uvd[np.array(split.numbers)[of_known] - 1])
    errors = joint_errors(uvd_from_joints(joints[of_known]), uvd_from_joints(true)).mean(axis=1)
    record: dict[str, Any] = {"frames": len(errors)}
    for name, which in (("believed", believed), ("refused", ~believed)):
        chosen = which[of_known]
        mean = float(errors[chosen].mean()) if chosen.any() else None
        record[name] = {"n": int(chosen.sum()), "joint_mm": mean}
    write_text(folder / TRUTH, json.dumps(record, indent=2) + "\n")


def _spread(uvd: np.ndarray) -> np.ndarray:
    """(n, 14, 3) evaluated joints at their places among NYU's, NaN elsewhere."""
    spread = np.full((len(uvd), len(NYU_JOINTS), 3), np.nan)
    spread[:, [NYU_JOINTS.index(name) for name in EVALUATED]] = uvd
    return spread
