"""Settings of, and beside, detectors that commands would pass over; see `render.unused`."""

from collections.abc import Mapping
from typing import Any

from render.unused import Unused, both, lacks
from train.options import DETECTOR, PUPIL


def _is_detector(_: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    return arguments["method"] == DETECTOR


def _is_network(_: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    return arguments["method"] != DETECTOR


def _needs_none(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Whether no method has unlabelled frames, in which a detector finds the object."""
    return not config["run"].has_unlabelled


IN_RUN = (
    Unused(
        "detector.*",
        f"belongs to run.detect, or to methods such as {PUPIL}; set one of them, too",
        both(lacks("run.detect"), _needs_none),
    ),
)
IN_STUDY = (
    Unused(
        "run.detect",
        "belongs to run; a study's networks read annotated boxes",
        is_refused=False,
    ),
    Unused(
        "detector.*",
        f"belongs in a study to methods with unlabelled frames, such as {PUPIL}",
        _needs_none,
        is_refused=False,
    ),
)
IN_TRAIN = (
    Unused("run.detect", "belongs to run; here --method detector trains one", is_refused=False),
    Unused("detector.*", "belongs to --method detector", _is_network),
    Unused(
        "train.* crop.* run.live run.live_workers run.real_background run.real_views",
        "has no effect on --method detector, which reads whole images, made of --synthetic DIR",
        _is_detector,
    ),
)
