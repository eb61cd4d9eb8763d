"""Twins, networks, poses, figures. These names are for other programs, too."""

from typing import TYPE_CHECKING

from render.lazy import lazy

if TYPE_CHECKING:
    from train.hands.predict import predict_joints as predict_joints
    from train.hands.score import joint_errors as joint_errors
    from train.learn.checkpoint import Checkpoint as Checkpoint
    from train.learn.networks import build as build
    from train.objects.data import DataConfig as DataConfig
    from train.objects.predict import predict as predict
    from train.objects.read.image import draw_poses as draw_poses
    from train.objects.read.image import predict_boxes as predict_boxes
    from train.objects.score import score as score
    from train.objects.twins.pair import PairConfig as PairConfig
    from train.objects.twins.pair import pair as pair
    from train.options import CropConfig as CropConfig

_HOMES = {
    "Checkpoint": "train.learn.checkpoint",
    "CropConfig": "train.options",
    "DataConfig": "train.objects.data",
    "PairConfig": "train.objects.twins.pair",
    "build": "train.learn.networks",
    "draw_poses": "train.objects.read.image",
    "joint_errors": "train.hands.score",
    "pair": "train.objects.twins.pair",
    "predict": "train.objects.predict",
    "predict_boxes": "train.objects.read.image",
    "predict_joints": "train.hands.predict",
    "score": "train.objects.score",
}
__all__ = [*_HOMES]
__getattr__, __dir__ = lazy(__name__, _HOMES)
