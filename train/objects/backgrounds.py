"""Real training frames to stand behind synthetic images, the object painted out of them."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from render.dataset.see_poses import annotated_spec
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.formats.bop import BopImage, read_split
from render.image_file import write_png
from render.mesh.mesh import ObjectModel
from render.scene.randomize import SceneConfig
from render.whole_file import whole_folder
from train.objects.data import DataConfig
from train.objects.split import choose_images

AROUND = 0.04  # of the painted region's longer side: a pose is a little off, a rim is blurred
AROUND_PX = 3  # at least
FROM_PX = 5  # from so far a painted pixel takes its colour


def before_real_frames(
    scene: SceneConfig,
    data: DataConfig,
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
) -> SceneConfig:
    """The scene, in front of random parts of the frames that `data` says to train on.

    They are written to `folder`, whole, with the model's object painted out: a network would else
    be shown an object beside the one whose pose it is asked for. A folder that is there is left.
    """
    if not folder.is_dir():
        images = read_split(root, data.split, choose_images(data, root, "train", seed))
        renderer = make_renderer({model.obj_id: model}, RenderConfig(exact=True))
        with whole_folder(folder) as partial, closing(renderer):
            for image in images:
                _write(image, model.obj_id, renderer, partial)
    return replace(scene, background=str(folder.resolve()))


def _write(image: BopImage, obj_id: int, renderer: Renderer, folder: Path) -> None:
    """A frame without an object, as PNG; one that does not show it is linked."""
    name = f"{image.scene_id:06d}_{image.im_id:06d}"
    shown = _where(image, obj_id, renderer)
    if shown.any():
        write_png(folder / f"{name}.png", painted_out(image.read_rgb(), shown))
    else:
        file = image.rgb_path.resolve()
        (folder / f"{name}{file.suffix}").symlink_to(file)


def painted_out(rgb: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 with a region (H, W) bool, and its rim, filled from around it."""
    longer = max(cv2.boundingRect(shown.astype(np.uint8))[2:])
    around = max(AROUND_PX, round(AROUND * longer))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * around + 1, 2 * around + 1))
    unknown = cv2.dilate(shown.astype(np.uint8), kernel)
    return np.asarray(cv2.inpaint(rgb, unknown, FROM_PX, cv2.INPAINT_TELEA))


def _where(image: BopImage, obj_id: int, renderer: Renderer) -> np.ndarray:
    """(H, W) bool: where an object would be seen if nothing stood in front of any of it."""
    own = replace(image, annotations=tuple(a for a in image.annotations if a.obj_id == obj_id))
    if not own.annotations:
        return np.zeros(image.camera.size[::-1], bool)
    (frame,) = renderer.render([annotated_spec(own)])
    assert frame.instance is not None
    shown: np.ndarray = frame.instance > 0
    return shown
