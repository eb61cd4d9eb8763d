"""What a camera's record says of its lens: OpenCV's distortion, however it is called, or another's.

Keys are compared in lower case, without what stands between words: distCoeffs is dist_coeffs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from render.errors import InputError
from render.plain import clipped, parse_float, shown

COEFFICIENTS = 5, 8, 12, 14  # of distortion, as OpenCV has them
NAMES = "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"  # in its order
# OpenCV's coefficients in a list, or by NAMES: its samples', its functions', ROS' and BOP's names.
DISTORTION_KEY = re.compile(
    r"d1?|(cam(era)?|lens)?dist(ortions?)?(coef(fs?|s|ficients?)?)?1?|coef(fs|s|ficients)"
)
# All that looks like a lens which is no pinhole; of a stereo pair's file, D2 is the other camera's.
LENS_KEY = re.compile(
    r"d1?|k[1-6]?|p[12]|s[1-4]|tau[xy12]|xi|lens(par[a-z]*)?|.*(?<!un)dist(?!anc|rib).*"
    r"|.*(coef|radial|tangential|prism|fisheye|omni).*"
)
SQUARE = re.compile(r"[kp]\d?")
MODEL_KEY = re.compile(
    r"((is)?fisheye|omni(dir)?|cam(era)?|lens|dist(ortion)?|projection|intrinsics?|calib(ration)?)+"
    r"(model|type)(type|name)?|projection|lens"
)
BARE_MODEL_KEY = re.compile(r"type|model(type|name)?")  # deeper down it may be of anything
OPENCVS = re.compile(
    r"(distortion|cameramodel(type)?)?(none|null|(simple)?pinhole(camera|radtan)?|perspective"
    r"|plumbbob|rationalpolynomial|radtan|radialtangential|(simple)?radial|brown(conrady)?"
    r"|(full)?opencv|camera|mono|rgb|colou?r)?"
)
# RealSense's, which is the pinhole's where its coefficients are 0.
BENT_OTHERWISE = re.compile(r"(distortion)?(inverse|modified)brownconrady")
OPENCVS_LIST = "list OpenCV's k1, k2, p1, p2, k3 as distortion_coefficients"


def parse_distortion(record: Mapping[str, Any], where: str) -> np.ndarray:
    """The lens distortion of a camera's record.

    Returns:
        OpenCV's coefficients, (5,), (8,), (12,) or (14,) float64, zeros where there are none.

    Raises:
        InputError: they are no numbers, or there twice and different; or something else in the
            record looks like a distortion; or the lens is of another model, such as a fisheye's.
    """
    lists = {key: record[key] for key in record if DISTORTION_KEY.fullmatch(spelled(key))}
    named = {key: record[key] for key in record if spelled(key) in NAMES}
    named = {key: value for key, value in named.items() if not _is_else(key, value)}
    found = {key: _coefficients(key, value, where) for key, value in lists.items()}
    if named:
        found[", ".join(named)] = _by_name(named, where)
    if len({tuple(np.trim_zeros(values, "b").tolist()) for values in found.values()}) > 1:
        raise InputError(
            f"{where}: {clipped(' and '.join(found))} are different distortions; leave one"
        )
    distortion = max(found.values(), key=len, default=np.zeros(5))
    bare = [(key, record[key]) for key in record if BARE_MODEL_KEY.fullmatch(spelled(key))]
    _refuse_other_models([*bare, *_models(record)], distortion, where)
    rest = {key: value for key, value in record.items() if key not in {*lists, *named}}
    _refuse_unread(rest, where, f" that is not read; {OPENCVS_LIST}")
    return distortion


def refuse_distortion(record: Mapping[str, Any], where: str) -> None:
    """Raise InputError if a camera record has a lens distortion: a pinhole would ignore it."""
    _refuse_other_models(_models(record), np.zeros(5), where)
    _refuse_unread(record, where, "; undistort the images first")


def spelled(key: str) -> str:
    """A key, or a model's name, in lower case without what stands between words."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def leaves(value: Any) -> list[Any]:
    """What nested lists hold, or the data of a matrix as OpenCV and ROS write it."""
    if isinstance(value, Mapping) and "data" in value:
        value = value["data"]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def _coefficients(key: str, value: Any, where: str) -> np.ndarray:
    """OpenCV's coefficients from a list of numbers, four of them as five, or from their names."""
    if isinstance(value, Mapping) and "data" not in value:
        return _by_name(value, f"{where}: {clipped(key)}")
    numbers = leaves(value)
    try:
        if numbers == [value] or not all(type(n) in (int, float, str) for n in numbers):
            raise ValueError
        distortion = np.array(numbers, np.float64)
    except (ValueError, OverflowError):
        raise InputError(
            f"{where}: {clipped(key)} must be a list of numbers, got {shown(value)}"
        ) from None
    if len(distortion) in (0, 4):
        distortion = np.concatenate([distortion, np.zeros(5 - len(distortion))])
    if len(distortion) not in COEFFICIENTS or not np.isfinite(distortion).all():
        raise InputError(
            f"{where}: a lens has {', '.join(map(str, COEFFICIENTS))} finite coefficients of"
            f" distortion, got {clipped(key)} = {shown(value)}"
        )
    return distortion


def _by_name(record: Mapping[str, Any], where: str) -> np.ndarray:
    """OpenCV's coefficients, each by its name; those that are not there are 0."""
    keys = {spelled(key) for key in record}
    if not keys or len(keys) < len(record) or not keys <= set(NAMES):
        raise InputError(
            f"{where}: a distortion has {', '.join(NAMES)} once, got {shown(dict(record))}"
        )
    named = {spelled(key): parse_float(record, key, where) for key in record}
    # A fisheye's are k1, k2, k3, k4.
    if any(map(named.get, NAMES[5:])) and not named.keys() >= set(NAMES):
        raise InputError(
            f"{where}: k4, k5, k6 of a distortion go with {', '.join(NAMES[:5])}, got"
            f" {clipped(', '.join(named))}; a fisheye's are not read"
        )
    return np.array([named.get(name, 0.0) for name in NAMES[: 8 if "k6" in named else 5]])


def _models(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What names a lens model, at any depth."""
    return [(key, value) for key, value in _entries(record) if _names_model(key, value)]


def _names_model(key: str, value: Any) -> bool:
    return MODEL_KEY.fullmatch(spelled(key)) is not None and not isinstance(value, Mapping | list)


def _refuse_other_models(
    models: Iterable[tuple[str, Any]], distortion: np.ndarray, where: str
) -> None:
    for key, value in models:
        model = spelled(value) if isinstance(value, str) else ""
        known = OPENCVS.fullmatch(model) if isinstance(value, str) else not value
        if not known and (distortion.any() or not BENT_OTHERWISE.fullmatch(model)):
            raise InputError(
                f"{where}: has a lens distortion of another kind ({clipped(key)}: {shown(value)});"
                " undistort the images with what calibrated it, or, if that is the device, call it"
                " camera_name"
            )


def _refuse_unread(record: Mapping[str, Any], where: str, remedy: str) -> None:
    for key, value in _entries(record):
        if _names_model(key, value) or not LENS_KEY.fullmatch(spelled(key)):
            continue
        if not _is_zero(value) and not _is_else(key, value):
            raise InputError(
                f"{where}: {clipped(key)} = {shown(value)} is a lens distortion{remedy}"
            )


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value in objects and lists, at any depth."""
    if isinstance(value, Mapping):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping | list):
                yield from _entries(item)


def _is_else(key: str, value: Any) -> bool:
    """Whether a name of a coefficient is a matrix's, such as K1 or P1, or d some distance's."""
    if spelled(key) == "d":
        return isinstance(value, int | float)
    return SQUARE.fullmatch(spelled(key)) is not None and len(leaves(value)) >= 9


def _is_zero(value: Any) -> bool:
    """Whether a number, or all numbers of nested lists and objects, are zero."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return all(map(_is_zero, value)) if isinstance(value, list) else value == 0
