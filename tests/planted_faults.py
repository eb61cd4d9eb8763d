"""Faults that are planted into a dataset, for the tests of what finds them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from render.formats.bop import BopImage
from render.formats.bop_files import depth_path, mask_path
from render.image_file import read_gray16, read_mask, read_rgb, write_png
from render.validate.fault import Fault


def clear_view(image: BopImage) -> int:
    """The gt id of the object of which most is seen."""
    visible = [annotation.px_count_visib or 0 for annotation in image.annotations]
    return int(np.argmax(visible))


def hidden_pair(image: BopImage) -> tuple[int, int] | None:
    """gt ids of an object and of one that stands before a good part of it, if there are such."""
    whole, seen = (all_masks(image, visible) for visible in (False, True))
    for one, annotation in enumerate(image.annotations):
        for other in range(len(image.annotations)):
            shared = (whole[one] & ~seen[one] & seen[other]).sum()
            if shared > 20 and (annotation.px_count_visib or 0) > 200:
                return one, other
    return None


def all_masks(image: BopImage, visible: bool) -> list[np.ndarray]:
    paths = (
        mask_path(image.scene_dir, image.im_id, i, visible) for i in range(len(image.annotations))
    )
    return [read_mask(path) for path in paths]


def edit_json(path: Path, change: Callable[[dict], object]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def edit_gt(image: BopImage, key: str, change: Callable, name: str = "scene_gt.json") -> Path:
    """Change one value of the best seen object's record; gives back the file."""

    def apply(content):
        record = content[str(image.im_id)][clear_view(image)]
        record[key] = change(record[key])

    return edit_json(image.scene_dir / name, apply)


def edit_camera(image: BopImage, **values) -> Path:
    path = image.scene_dir / "scene_camera.json"
    return edit_json(path, lambda content: content[str(image.im_id)].update(values))


def edit_info(image: BopImage, key: str, change: Callable) -> Path:
    return edit_gt(image, key, change, "scene_gt_info.json")


def mask_of(image: BopImage, visible: bool) -> Path:
    return mask_path(image.scene_dir, image.im_id, clear_view(image), visible)


def cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def remove(path: Path) -> Path:
    path.unlink()
    return path


def enlarge(path: Path, image: np.ndarray) -> Path:
    write_png(path, np.pad(image, [(0, 2), (0, 0)] + [(0, 0)] * (image.ndim - 2)))
    return path


def shift_mask(path: Path, by: int) -> Path:
    write_png(path, np.roll(read_mask(path), by, axis=(0, 1)))
    return path


def copy_stray(path: Path, name: str) -> Path:
    return Path(shutil.copy(path, path.with_name(name)))


def replace_depth(image: BopImage) -> Path:
    """Put a smooth ramp where objects are, far behind all of them at one side."""
    path = depth_path(image.scene_dir, image.im_id)
    depth = read_gray16(path)
    ramp = np.linspace(1.3, 3, depth.shape[1])
    write_png(path, np.where(depth > 0, depth * ramp, 0).astype(np.uint16))
    return path


def blank_depth(image: BopImage) -> Path:
    path = depth_path(image.scene_dir, image.im_id)
    write_png(path, np.zeros_like(read_gray16(path)))
    return path


def shorten_info(image: BopImage) -> Path:
    path = image.scene_dir / "scene_gt_info.json"
    return edit_json(path, lambda content: content[str(image.im_id)].pop())


def show_hidden(image: BopImage) -> Path:
    """Call the whole of a partly hidden object visible."""
    pair = hidden_pair(image)
    assert pair is not None
    path = mask_path(image.scene_dir, image.im_id, pair[0], visible=True)
    write_png(path, all_masks(image, visible=False)[pair[0]])
    return path


def look_through(image: BopImage) -> Path:
    """Let something un-annotated stand before half of the best seen object."""
    path = depth_path(image.scene_dir, image.im_id)
    depth = read_gray16(path)
    v, u = np.nonzero(read_mask(mask_of(image, True)))
    near = u < np.median(u) - 3
    depth[v[near], u[near]] = np.round(0.8 * depth[v[near], u[near]])
    write_png(path, depth)
    return mask_of(image, True)


FAULTS: dict[str, tuple[Callable[[BopImage], Path], str]] = {
    "rgb cut": (lambda i: cut(i.rgb_path), "truncated|cannot be read"),
    "rgb missing": (lambda i: remove(i.rgb_path), "no such file"),
    "depth cut": (lambda i: cut(depth_path(i.scene_dir, i.im_id)), "truncated|cannot be read"),
    "depth missing": (lambda i: remove(depth_path(i.scene_dir, i.im_id)), "no such file"),
    "mask missing": (lambda i: remove(mask_of(i, False)), "no such file"),
    "visible mask cut": (lambda i: cut(mask_of(i, True)), "truncated|cannot be read|not an image"),
    "rgb size": (lambda i: enlarge(i.rgb_path, read_rgb(i.rgb_path)), "160x122 pixels.*160x120"),
    "depth size": (
        lambda i: enlarge(
            depth_path(i.scene_dir, i.im_id), read_gray16(depth_path(i.scene_dir, i.im_id))
        ),
        "160x122 pixels",
    ),
    "mask size": (
        lambda i: enlarge(mask_of(i, False), read_mask(mask_of(i, False))),
        "160x122 pixels",
    ),
    "rgb without key": (lambda i: copy_stray(i.rgb_path, f"{700 + i.im_id:06d}.png"), "no such"),
    "mask without key": (
        lambda i: copy_stray(mask_of(i, True), f"{i.im_id:06d}_000009.png"),
        "no such image or annotation",
    ),
    "shear": (
        lambda i: edit_gt(i, "cam_R_m2c", lambda R: [R[0], R[1] + 0.2, *R[2:]]),
        "gt .*not a rotation",
    ),
    "reflection": (lambda i: edit_gt(i, "cam_R_m2c", lambda R: [-x for x in R]), "a reflection"),
    "metres": (lambda i: edit_gt(i, "cam_t_m2c", lambda t: [x / 1000 for x in t]), "look like met"),
    "no translation": (lambda i: edit_gt(i, "cam_t_m2c", lambda t: t[:2]), "3 finite numbers"),
    "no model": (lambda i: edit_gt(i, "obj_id", lambda _: 77), "obj_id 77 has no obj_000077"),
    "other object": (lambda i: edit_gt(i, "obj_id", lambda j: j % 3 + 1), "IoU"),
    "shifted pose": (
        lambda i: edit_gt(i, "cam_t_m2c", lambda t: [t[0] + 30, *t[1:]]),
        "IoU .* against mask",
    ),
    "turned camera": (
        lambda i: edit_gt(i, "cam_t_m2c", lambda t: [*t[:2], -t[2]]),
        "IoU 0.00",
    ),
    "cam_K": (lambda i: edit_camera(i, cam_K=[500, 0, 80]), "cam_K must be 9"),
    "distortion": (lambda i: edit_camera(i, k1=0.1), "lens distortion"),
    "depth_scale": (lambda i: edit_camera(i, depth_scale=1.0), "depth_scale 1 makes .* 10 times"),
    "depth_scale sign": (lambda i: edit_camera(i, depth_scale=-1), "must be positive"),
    "other depth": (replace_depth, "times as far as the poses"),
    "depth before mask": (look_through, "% of its pixels"),
    "overlap": (show_hidden, "a pixel shows one object"),
    "shifted visible mask": (lambda i: shift_mask(mask_of(i, True), 9), "outside the full mask"),
    "shifted mask": (lambda i: shift_mask(mask_of(i, False), 9), "IoU"),
    "visible box": (
        lambda i: edit_info(i, "bbox_visib", lambda b: [*b[:2], b[2] - 2, b[3]]),
        "bbox_visib is",
    ),
    "box": (lambda i: edit_info(i, "bbox_obj", lambda b: [b[0] - 2, *b[1:]]), "bbox_obj is"),
    "count": (lambda i: edit_info(i, "px_count_visib", lambda n: n - 1), "px_count_visib is"),
    "valid count": (lambda i: edit_info(i, "px_count_valid", lambda n: n + 3), "px_count_valid is"),
    "visib_fract": (lambda i: edit_info(i, "visib_fract", lambda f: f / 2), "visib_fract is"),
    "short list": (shorten_info, "expected a list of"),
    "blank depth": (blank_depth, "no depth in any pixel"),
}


NEEDS_PAIR = ("overlap",)


def plant(images: list[BopImage]) -> list[tuple[Path, int, str]]:
    """Each fault in an image of its own: (file, image id, message) of what is to be found."""
    left, planted = list(images), []
    for name in sorted(FAULTS, key=lambda name: name not in NEEDS_PAIR):
        fits = (i for i in left if name not in NEEDS_PAIR or hidden_pair(i) is not None)
        image = next(fits)
        left.remove(image)
        change, message = FAULTS[name]
        planted.append((change(image), image.im_id, message))
    return planted


def names(fault: Fault, planted: tuple[Path, int, str]) -> bool:
    """Whether a fault that was found is one that was planted."""
    path, im_id, message = planted
    in_image = path.suffix != ".json" or f"image {im_id}" in fault.message
    return fault.path == path and in_image and re.search(message, fault.message) is not None
