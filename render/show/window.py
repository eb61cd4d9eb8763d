"""A window on a frame of a BOP dataset: its objects at their poses, to be looked at from all sides.

The window is pyrender's. Two OpenGL libraries must not share a process: nothing here draws by the
rasterizer.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from render.draw.records import make_view
from render.draw.reference import SceneMaker, import_pyrender, require_pyrender
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.splits import BOP, find_splits
from render.mesh.box import mesh_corners
from render.mesh.mesh import Mesh, load_models
from render.scene.spec import Placed, SceneSpec, near_of, rows

log = logging.getLogger(__name__)

AMBIENT = (0.3, 0.3, 0.3)
LIGHT = np.pi  # of the light that goes with the camera: what faces it has the mesh's own colour
ROOM = 8.0  # times nearer and farther than the frame's objects one can go
INSTEAD = "--out SHEET.png draws a contact sheet instead"


def show_frame(dataset: Path, split: str | None, frame: str | None) -> None:
    """Open a window on a frame and wait until it is closed.

    Args:
        split: None takes the first that has the frame.
        frame: "SCENE/IMAGE"; None takes the dataset's first image.

    Raises:
        InputError: there is no pyrender, no window can be opened here, or there is no such frame,
            or it lacks models.
    """
    if not os.environ.get("DISPLAY"):
        raise InputError(f"no display to open a window on; {INSTEAD}")
    require_pyrender()
    image = find_image(dataset, split, frame)
    spec = frame_spec(image)
    models = load_models([dataset / "models"], "mm", sorted({p.obj_id for p in spec.objects}))
    try:
        pyrender = import_pyrender(windows=True)
        import pyglet

        pyglet.display.get_display()
    except Exception as error:  # of whatever kind where there is no X server, or no library of X's
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"no window can be opened here ({reason}); {INSTEAD}") from error
    meshes = {obj_id: model.mesh for obj_id, model in models.items()}
    pyrender.Viewer(
        window_scene(pyrender, meshes, spec),
        viewport_size=spec.size,
        use_direct_lighting=True,
        lighting_intensity=LIGHT,
        window_title=f"{dataset.name}/{image.scene_dir.parent.name}/{_name(image)}",
    )


def find_image(dataset: Path, split: str | None, frame: str | None) -> BopImage:
    """An image of a dataset; arguments and errors as of `show_frame`."""
    splits = find_splits(dataset, split)
    others = [f"{name} ({kind})" for name, kind in splits.items() if kind != BOP]
    if len(others) == len(splits):
        raise InputError(f"{dataset}: the window shows BOP's scenes, not {others[0]}; {INSTEAD}")
    names = (name for name, kind in splits.items() if kind == BOP)
    images = [image for name in names for image in read_split(dataset, name)]
    if frame is None:
        return images[0]
    try:
        scene_id, im_id = (int(part) for part in frame.split("/"))
    except ValueError:
        raise InputError(
            f"--frame {frame}: must be SCENE/IMAGE, such as {_name(images[0])}"
        ) from None
    for image in images:
        if (image.scene_id, image.im_id) == (scene_id, im_id):
            return image
    where = dataset / split if split else dataset
    raise InputError(f"--frame {frame}: no such image in {where}; its first is {_name(images[0])}")


def frame_spec(image: BopImage) -> SceneSpec:
    """The annotated objects of an image, seen by its camera."""
    placed = [Placed(a.obj_id, rows(a.cam_from_obj)) for a in image.annotations]
    if not placed:
        raise InputError(f"{image.rgb_path}: nothing is annotated in it; give another --frame")
    camera = image.camera
    near = near_of(placed)
    return SceneSpec(rows(camera.K), camera.size, tuple(placed), ambient=AMBIENT, near=near)


def window_scene(pyrender: Any, meshes: Mapping[int, Mesh], spec: SceneSpec) -> Any:
    """What a window shows at first: a pyrender scene with a spec's objects and its camera.

    Args:
        pyrender: the module, as `import_pyrender` gives it.
    """
    view = make_view(spec, {obj_id: mesh_corners(mesh) for obj_id, mesh in meshes.items()})
    scene = pyrender.Scene(bg_color=(1.0, 1.0, 1.0), ambient_light=spec.ambient)
    maker = SceneMaker(pyrender, meshes)
    if any(mesh.opacity is not None for mesh in meshes.values()):
        log.info("what alpha cuts out of a mesh (MASK) is shown here, but not in images")
    for placed in spec.objects:
        maker.add(scene, placed)
    (fx, _, cx), (_, fy, cy), _ = view.camera.K
    # pyrender counts pixels from the image's corner, not from the middle of the first one.
    camera = pyrender.IntrinsicsCamera(
        fx, fy, cx + 0.5, cy + 0.5, znear=view.near / ROOM, zfar=ROOM * view.far
    )
    scene.add(camera, pose=np.eye(4))
    return scene


def _name(image: BopImage) -> str:
    return f"{image.scene_id:06d}/{image.im_id:06d}"
