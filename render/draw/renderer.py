"""What draws frames: which renderer, how it is opened, and the cameras that it is seen through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from render.config import option
from render.draw.bent import bend_of
from render.draw.level import Level
from render.draw.level_of_detail import load_levels
from render.frame import Frame
from render.hand.model import HandModel
from render.mesh.mesh import Mesh, ObjectModel
from render.scene.background import draw_behind
from render.scene.distractors import is_distractor
from render.scene.spec import SceneSpec
from render.sensor.color import apply_color_sensor
from render.sensor.depth import apply_depth_sensor

VAL = "val"  # the split of render.val


@dataclass(frozen=True)
class RenderConfig:
    """What `render` makes."""

    objects: tuple[str, ...] = option(
        (),
        "assets, a folder of meshes, a BOP models folder, or mesh files; none: assets, and in `run`"
        " the dataset's own models. `run`: real frames that are simulated show them too",
    )
    unit: Literal["m", "cm", "mm"] | None = option(
        None, "Unit of the meshes; default mm in a BOP models folder, else m"
    )
    up: Literal["y", "z"] | None = option(
        None,
        "Axis of the meshes that is up; y is turned to z, on which objects stand. Default y of GLB"
        " and GLTF, z of others and in a BOP models folder",
        later=True,
    )
    names: tuple[str, ...] = option(
        (),
        "Names of all these objects, in the order of their ids, for COCO's categories, tables and"
        " wherever an object is asked for; none: those of names.json or of the mesh files",
        later=True,
    )
    obj_ids: tuple[int | str, ...] = option(
        (), "Annotate only these objects, by ids or names; the others are clutter"
    )
    frames: int = option(1000, "Number of frames to render", minimum=1)
    size: tuple[int, int] | None = option(
        None,
        "Width and height of the images, pixels; none: the camera file's, without one 640x480",
        none_as=(640, 480),
    )
    camera: str | None = option(
        None,
        "Your camera's file: BOP's camera.json, or OpenCV's or ROS' YAML or XML; scaled to --size."
        " Of crops: the camera of the whole image. none: LINEMOD's",
        later=True,
    )
    split: str = option("train", "Name of the folder that scenes are written to, such as train")
    val: float = option(
        0.0,
        "Share of the frames, the last ones, that go to a split of their own, val, to test networks"
        " by that are trained on the others; 0: none",
        minimum=0,
        maximum=0.9,
        later=True,
    )
    frames_per_scene: int = option(
        100, "Frames in one scene folder or shard", minimum=1, maximum=1000
    )
    format: Literal["bop", "bop-webdataset", "nyu"] = option(
        "bop",
        "bop: scene folders; bop-webdataset: the same as tar shards; nyu: hands, as NYU's dataset",
    )
    hand: str | None = option(
        None,
        "Draw this hand, bundled, bundled-left, or a .glb or MANO file: nyu, instead of objects;"
        " bop, among them",
    )
    antialias: bool = option(
        False, "Anti-alias the colour image; depth and masks never are; slower"
    )
    normals: bool = option(False, "Write surface normals too: normals/, 16-bit PNG")
    coordinates: bool = option(False, "Write object coordinates (NOCS): nocs/, 16-bit PNG")
    flow: bool = option(
        False,
        "Write optical flow to the next and the last frame, too: flow_forward/, flow_backward/,"
        " 16-bit PNG as KITTI's; of films, scene.path",
        later=True,
    )
    exact: bool = option(
        False, "Draw every face, also where a coarser mesh is the same to a quarter of a pixel"
    )
    renderer: Literal["moderngl", "pyrender"] = option(
        "moderngl", "What draws; pyrender is the independent check, and many times slower"
    )

    @property
    def parts(self) -> dict[str, tuple[int, int]]:
        """Name of each split -> its first frame id, and how many frames it has."""
        of_val = round(self.val * self.frames)
        rest = self.frames - of_val
        return {self.split: (0, rest)} | ({VAL: (rest, of_val)} if of_val else {})


class Renderer(Protocol):
    """What draws frames: Rasterizer, or PyrenderRenderer.

    name: of the OpenGL device and version.
    """

    name: str

    def render(
        self, specs: Sequence[SceneSpec], backgrounds: Sequence[np.ndarray | None] | None = None
    ) -> list[Frame]: ...

    def full_masks(
        self, spec: SceneSpec, canvas: int = 1, instance: np.ndarray | None = None
    ) -> np.ndarray: ...

    def close(self) -> None: ...


def make_renderer(
    models: Mapping[int, ObjectModel],
    config: RenderConfig,
    hands: Mapping[int, HandModel] = MappingProxyType({}),
) -> Renderer:
    """Open an OpenGL context that draws these models. OpenGL is imported here and not before.

    Unless it shall be exact, levels of detail are made, where an earlier call has not.

    Args:
        hands: those that have postures, by obj_id.
    """
    meshes = {obj_id: model.mesh for obj_id, model in models.items()}
    if config.renderer == "pyrender":
        from render.draw.reference import PyrenderRenderer

        return PyrenderRenderer(meshes)
    from render.draw.rasterizer import Rasterizer

    levels = None if config.exact else levels_of(models)
    drawn: dict[int, Mesh | HandModel] = {**meshes, **hands}
    return Rasterizer(drawn, config.antialias, config.normals, config.coordinates, levels)


def levels_of(models: Mapping[int, ObjectModel]) -> dict[int, list[Level]]:
    """Levels of detail of the models, kept or made now; props are drawn as they are."""
    return load_levels({i: m.mesh for i, m in models.items() if i > 0 or is_distractor(i)})


def keep_levels(models: Mapping[int, ObjectModel]) -> None:
    """Make the levels of detail that an earlier call has not."""
    load_levels({i: model.mesh for i, model in models.items()})


def silhouettes(renderer: Renderer, spec: SceneSpec, canvas: int, frame: Frame) -> np.ndarray:
    """`Renderer.full_masks` of a spec whose frame is there, through its lens, too."""
    if spec.distortion is None:
        return renderer.full_masks(spec, canvas, frame.instance)
    bend = bend_of(spec)
    return bend.masks(renderer.full_masks(bend.spec(spec), canvas), canvas)


def see(renderer: Renderer, specs: Sequence[SceneSpec]) -> list[Frame]:
    """Draw specs before their backgrounds and through their lenses, colour and depth cameras."""
    if any(spec.distortion is not None for spec in specs):
        # One after another: a straight drawing has many times the pixels of its frame.
        return [_seen_bent(renderer, spec) for spec in specs]
    backgrounds = [draw_behind(spec) for spec in specs]
    frames = renderer.render(specs, backgrounds)
    return [
        _colored(_measured(frame, spec), spec) for spec, frame in zip(specs, frames, strict=True)
    ]


def _seen_bent(renderer: Renderer, spec: SceneSpec) -> Frame:
    """Depth is measured straight, as depth cameras do, and seen from the colour camera."""
    if spec.distortion is None:
        return see(renderer, [spec])[0]
    bend = bend_of(spec)
    straight = bend.spec(spec)
    (frame,) = renderer.render([straight], [draw_behind(straight)])
    return _colored(bend.frame(_measured(frame, straight)), spec)


def _measured(frame: Frame, spec: SceneSpec) -> Frame:
    if frame.depth is None:
        return frame
    measured = apply_depth_sensor(frame.depth, frame.camera.K, spec.depth_sensor)
    return replace(frame, depth=measured, drawn_depth=frame.depth)


def _colored(frame: Frame, spec: SceneSpec) -> Frame:
    if frame.rgb is None:
        return frame
    return replace(frame, rgb=apply_color_sensor(frame.rgb, spec.sensor))
