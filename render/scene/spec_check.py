"""What a SceneSpec may hold that was read from a file: every type, shape and range."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from render.camera import Camera
from render.environment.spec import ENVIRONMENT_KINDS
from render.errors import InputError
from render.plain import (
    Check,
    array,
    boolean,
    list_of,
    number,
    one_of,
    optional,
    record,
    refusal,
    text,
    whole,
    within,
)
from render.scene.textures import KINDS
from render.sensor.spec import DEPTH_SENSORS

# No camera, light or object is larger, farther or brighter, and no square of these overflows.
LARGEST_SIDE, MOST_PIXELS = 1 << 14, 1 << 26
FARTHEST, BRIGHTEST, MOST_PX = 1e5, 1e5, 1e3
ROTATION_SLACK = 1e-3
MOST_LIGHTS, MOST_OBJECTS, MOST_SHAPES = 8, 4096, 512

_COLOR = array(3, least=0, most=BRIGHTEST)
_POINT = array(3, least=-FARTHEST, most=FARTHEST)
_SEED = list_of(whole(0, 2**64 - 1), most=64)
_POSITIVE = number(1e-9, 1e9)
_SHARE, _AMOUNT = number(0, 1), number(0, 1e9)
_WIDTH = number(0, MOST_PX)  # of a filter, pixels


def _pose(value: Any, where: str) -> Any:
    """A 4 x 4 pose whose rotation is one."""
    T = np.array(array(4, 4, least=-FARTHEST, most=FARTHEST)(value, where), np.float64)
    R = T[:3, :3]
    is_rotation = np.allclose(R.T @ R, np.eye(3), atol=ROTATION_SLACK) and np.linalg.det(R) > 0
    if not is_rotation or T[3].tolist() != [0, 0, 0, 1]:
        raise refusal(where, "a rotation and a translation, 4 x 4", value)
    return value


def _stretch(value: Any, where: str) -> Any:
    return array(3, least=1e-7, most=1e4)(value, where)


def _rotation(value: Any, where: str) -> Any:
    R = np.array(array(3, 3, least=-2, most=2)(value, where), np.float64)
    if not (np.allclose(R.T @ R, np.eye(3), atol=ROTATION_SLACK) and np.linalg.det(R) > 0):
        raise refusal(where, "a rotation, 3 x 3", value)
    return value


_MICROFACETS = {"roughness": optional(_SHARE), "metallic": optional(_SHARE)}
_TEXTURE = record(
    {"tile": number(1e-7, FARTHEST)},
    {"path": optional(text), "kind": one_of(tuple(KINDS)), "number": whole(0, 2**31)},
)
_MATERIAL = record(
    {},
    {
        "tint": _COLOR,
        "gloss": _SHARE,
        "shininess": number(0, 1e6),
        "texture": optional(_TEXTURE),
        **_MICROFACETS,
    },
)
_POSTURE = record(
    {
        "pose": array(16, 3, least=-100, most=100),
        "shape": list_of(number(-100, 100), most=MOST_SHAPES),
    }
)
_PLACED = record(
    {"obj_id": whole(-(2**31), 2**31), "cam_from_obj": _pose, "material": _MATERIAL},
    {"stretch": _stretch, "annotated": boolean, "posture": optional(_POSTURE)},
)
_LIGHT = record(
    {"kind": one_of(("directional", "point", "spot")), "vector": _POINT},
    {
        "color": _COLOR,
        "shadow": boolean,
        "radius": optional(number(0, FARTHEST)),
        "direction": array(3, least=-1.01, most=1.01),
        "cone": array(2, least=0, most=math.pi / 2),
    },
)
_PLAIN_BACKGROUND = {"color": _COLOR, "seed": _SEED}
_CROP = array(2, 3, least=-1e6, most=1e6)
_OF_IMAGE = {"path": text, "crop_from_image": _CROP}
_OF_NONE = {name: optional(check) for name, check in _OF_IMAGE.items()}
_KIND = {"kind": one_of(("plain", "image", "noise", "environment"))}
_ANY_BACKGROUND = record(_KIND, {**_PLAIN_BACKGROUND, **_OF_NONE})
_IMAGE_BACKGROUND = record({**_KIND, **_OF_IMAGE}, _PLAIN_BACKGROUND)
_SENSOR = record(
    {},
    {
        "gain": _AMOUNT,
        "white_balance": _COLOR,
        "gamma": number(1e-3, 1e3),
        "blur_px": _WIDTH,
        "noise": number(0, 1e3),
        "seed": _SEED,
        "motion_px": array(2, least=-MOST_PX, most=MOST_PX),
        "full_well_e": _AMOUNT,
        "read_noise_e": _AMOUNT,
        "bayer": boolean,
        "jpeg_quality": whole(0, 100),
    },
)
_DEPTH_SENSORS = {
    "structured-light": record(
        {},
        {
            "kind": text,
            "baseline": number(-10, 10),
            "focal_px": _POSITIVE,
            "disparity_step_px": _WIDTH,
            "disparity_noise_px": _WIDTH,
            "lateral_px": _WIDTH,
            "grain_px": _WIDTH,
            "shadows": boolean,
            "grazing_deg": number(0, 90),
            "seed": _SEED,
        },
    ),
    "time-of-flight": record(
        {},
        {
            "kind": text,
            "focal_px": _POSITIVE,
            "noise": number(0, 1e3),
            "ambient": _AMOUNT,
            "least_amplitude": _AMOUNT,
            "mixing_px": _WIDTH,
            "seed": _SEED,
        },
    ),
}


_ENVIRONMENT = record(
    {"kind": one_of(ENVIRONMENT_KINDS)},
    {"env_from_cam": _rotation, "seed": _SEED, "path": optional(text)},
)


def _environment(value: Any, where: str) -> Any:
    _ENVIRONMENT(value, where)
    if value["kind"] == "image":
        record({"path": text}, others=True)(value, where)
    return value


def _background(value: Any, where: str) -> Any:
    _ANY_BACKGROUND(value, where)
    return _IMAGE_BACKGROUND(value, where) if value["kind"] == "image" else value


def _depth_sensor(value: Any, where: str) -> Any:
    record({"kind": one_of(tuple(DEPTH_SENSORS))}, others=True)(value, where)
    return _DEPTH_SENSORS[value["kind"]](value, where)


_SPEC: Check = record(
    {
        "K": array(3, 3, least=-1e7, most=1e7),
        "size": array(2),
        "objects": list_of(_PLACED, most=MOST_OBJECTS),
        "lights": list_of(_LIGHT, most=MOST_LIGHTS),
        "background": _background,
        "sensor": _SENSOR,
    },
    {
        "ambient": _COLOR,
        "depth_sensor": optional(_depth_sensor),
        "near": number(1e-7, 1e3),
        "environment": optional(_environment),
        "distortion": optional(array(5, least=-1e3, most=1e3)),
        "cam_from_world": optional(_pose),
    },
)


def check_spec(value: Any, where: str) -> Mapping[str, Any]:
    """A spec as JSON holds it, checked.

    Args:
        where: what to call it, such as its file and image.

    Raises:
        InputError: a value is missing, unknown, or cannot be drawn; names its place.
    """
    _SPEC(value, where)
    for side in value["size"]:
        whole(1, LARGEST_SIDE)(side, within(where, ".size"))
    if math.prod(value["size"]) > MOST_PIXELS:
        raise refusal(
            within(where, ".size"), f"of at most {MOST_PIXELS >> 20} megapixels", value["size"]
        )
    try:
        Camera(np.array(value["K"]), *value["size"])
    except ValueError as error:
        raise InputError(f"{within(where, '.K')}: {error}") from None
    if value.get("depth_sensor") is not None and value["K"][1][0] != 0:
        raise InputError(f"{within(where, '.K')} turns the image, which no depth sensor does")
    if value["background"]["kind"] == "environment" and value.get("environment") is None:
        raise InputError(f"{within(where, '.background')} is of an environment, and there is none")
    return value
