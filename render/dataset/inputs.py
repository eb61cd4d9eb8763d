"""What scenes are made of: meshes, camera, backgrounds, hands; loaded, checked, told by content."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from render.camera import Camera
from render.config import to_dict
from render.dataset.backgrounds import check_images, with_missing
from render.dataset.folder import DISTRACTORS, TURNED
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop_points import keypoints
from render.formats.bop_writer import fine_scale
from render.formats.camera_file import read_camera_file
from render.hand.file import load_hand
from render.hand.guest import HandGuest
from render.hand.model import hand_digest
from render.hand.scene import HandSceneConfig
from render.mesh.axes import up_axis
from render.mesh.mesh import ObjectModel, load_models
from render.mesh.names import check_names, ids_of, table_of
from render.scene.background import told
from render.scene.distractors import load_distractors, needs_solids
from render.scene.furnishings import all_props
from render.scene.lighting import NONE
from render.scene.props import props
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import NEAR
from render.scene.surroundings import SETTLED
from render.scene.view import frame_size, old_camera, scene_camera
from render.sensor.config import SensorConfig

log = logging.getLogger(__name__)

DEFAULT_HAND_SCENE = HandSceneConfig()
HAND_LACKS = {"coordinates": "object coordinates", "format": "place in tar shards"}


class SceneInputs:
    """What scenes are made of, loaded and checked, and what of it a dataset's bytes depend on.

    models: by obj_id. distractors: what stands about beside them, by ids of their own.
    size: (width, height) of the frames. randomizer: draws the scenes. guest: the hand among the
    objects, or None. depth_scale: mm of a step of depth images. settings: what the bytes depend on,
    as plain data. as_listed: whether the background images are those that the dataset was begun
    with, by name and size, wherever their folder is now.
    """

    def __init__(
        self,
        config: RenderConfig,
        scene: SceneConfig,
        sensor: SensorConfig,
        seed: int,
        hand_scene: HandSceneConfig = DEFAULT_HAND_SCENE,
        listed: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """
        Args:
            listed: the background images that a dataset was begun with, as `read_list` gives them.

        Raises:
            InputError: as `generate`.
        """
        self.models = named(load_models(config.objects, config.unit, up=config.up), config.names)
        names = {i: model.name for i, model in self.models.items()}
        config = replace(config, obj_ids=ids_of(config.obj_ids, names, "render.obj_ids"))
        _check_ids(config, self.models)
        _check_renderer(config, scene)
        for model in self.models.values():
            keypoints(model)
        given = None if config.camera is None else read_camera_file(Path(config.camera))
        self.size = size = frame_size(scene.layout, config.size, given)
        camera = scene_camera(scene, size, given)
        obj_ids = tuple(int(i) for i in config.obj_ids) or None
        self.distractors = load_distractors(scene.distractors, self.models.values())
        self.randomizer = Randomizer(
            scene, self.models, size, seed, obj_ids, sensor, camera, self.distractors
        )
        ranges = {"scene": to_dict(scene), "sensor": to_dict(sensor)}
        render = to_dict(replace(config, size=size, camera=None))
        self.settings = {"render": render, **ranges, "seed": seed, **_camera_record(scene, camera)}
        self.settings |= _turned(self.models, config.up)
        physical = scene.environment != NONE
        _say_finishes({**self.models, **self.distractors}.values(), physical)
        digests = {str(i): mesh_digest(model, physical) for i, model in self.models.items()}
        self.settings["meshes"] = digests
        self.settings |= self._distractor_record(scene)
        if self.randomizer.painter.files and not scene.object_textures and not self._has_solids:
            raise InputError(
                "scene.textures has no effect on crops of several meshes, nor in"
                " scene.layout=upright, where no plain solid stands about; set"
                " scene.object_textures, too"
            )
        if self.randomizer.views:  # told by what the file says, not by its place
            self.settings["scene"] |= {"views": _digest_of(self.randomizer.views)}
        self.as_listed = False
        if self.randomizer.backgrounds:
            self._use_backgrounds(Path(scene.background), listed)
        self.settings |= self.randomizer.lighting.record() | self.randomizer.painter.record()
        annotated = [self.models[i].diameter for i in obj_ids or self.models]
        self.depth_scale = fine_scale(min(annotated))
        if self.randomizer.near != NEAR or self.randomizer.lighting.scale != 1:
            # Which older versions drew otherwise.
            sizes = {"near": self.randomizer.near, "lights": self.randomizer.lighting.scale}
            self.settings["by_size"] = sizes
        if self.randomizer.lifted():  # on the table of older versions they are half hidden
            self.settings["lifted"] = self.randomizer.lifted()
        self.guest: HandGuest | None = None
        if config.hand is not None:
            hand = load_hand(config.hand)
            self.guest = HandGuest(hand, hand_scene, self.models, seed)
            self.settings |= {"hand_scene": to_dict(hand_scene), "hand": hand_digest(hand)}

    @property
    def table(self) -> dict[str, dict[str, str]]:
        """What a dataset tells of every object: its id, its name and its mesh file."""
        models = self.models.items()
        return table_of({i: m.name for i, m in models}, {i: m.source for i, m in models})

    @property
    def drawn(self) -> dict[int, ObjectModel]:
        """All meshes that scenes show."""
        layout, drawn = self.randomizer.config.layout, {**self.models, **self.distractors}
        if layout in SETTLED:
            return {**drawn, **all_props()}
        return {**drawn, **(props() if self._has_solids else {})}

    def check_textures(self) -> None:
        """Raise InputError, which names them all, for pictures of scene.textures that cannot be
        read."""
        check_images(self.randomizer.painter.files, "delete it from scene.textures, or mend it")

    @property
    def _has_solids(self) -> bool:
        """Whether tables, rooms or plain solids may be seen."""
        return self.randomizer.config.layout in (*SETTLED, "tabletop") or self._lacks_others

    @property
    def _lacks_others(self) -> bool:
        scene = self.randomizer.config
        chances = scene.occluder_chance, scene.distractor_chance
        return needs_solids(scene.layout, chances, {**self.models, **self.distractors})

    def _distractor_record(self, scene: SceneConfig) -> dict[str, Any]:
        """What stands about, where older versions had something else; a mesh alone had itself."""
        if self._lacks_others:
            return {DISTRACTORS: "solids"}
        physical = scene.environment != NONE
        digests = {str(i): mesh_digest(model, physical) for i, model in self.distractors.items()}
        return {DISTRACTORS: digests} if digests else {}

    def _use_backgrounds(self, folder: Path, listed: Mapping[str, int]) -> None:
        """Take the images of a folder, and those of the dataset's that are gone."""
        draw = self.randomizer
        draw.backgrounds, draw.left_out = with_missing(draw.backgrounds, folder, listed)
        sizes = {}
        for file in draw.backgrounds:
            name = str(file.relative_to(folder))
            sizes[name] = listed[name] if file in draw.left_out else file.stat().st_size
        self.as_listed = sizes == listed
        placed = {str(folder / name): size for name, size in sizes.items()}
        self.settings["backgrounds"] = told(placed)


def named(models: dict[int, ObjectModel], names: Sequence[str]) -> dict[int, ObjectModel]:
    """The models under other names, in the order of their ids; as they are where none is given.

    Raises:
        InputError: there are more or fewer names than models, or one is unusable.
    """
    if not names:
        return models
    if len(names) != len(models):
        files = ", ".join(f"{i} of {Path(m.source).name}" for i, m in models.items())
        raise InputError(f"render.names: {len(names)} names for {len(models)} objects ({files})")
    check_names(dict(zip(models, names, strict=True)), "render.names")
    return {i: replace(m, name=name) for (i, m), name in zip(models.items(), names, strict=True)}


def _turned(models: Mapping[int, ObjectModel], up: str | None) -> dict[str, Any]:
    """Which meshes were turned to have z up, as older versions had not; nothing where none was."""
    turned = {str(i): "y" for i, m in models.items() if up_axis(Path(m.source), up) == "y"}
    return {TURNED: turned} if turned else {}


def _camera_record(scene: SceneConfig, camera: Camera) -> dict[str, Any]:
    """What says which camera a dataset has; nothing where that goes without saying."""
    usual = old_camera(scene, camera.size)
    if camera.size == usual.size and np.array_equal(camera.K, usual.K):
        return {}
    (fx, _, cx), (_, fy, cy) = camera.K[:2].tolist()
    return {"camera": [fx, fy, cx, cy, *camera.size]}


def _check_renderer(config: RenderConfig, scene: SceneConfig) -> None:
    if config.hand is not None and (config.coordinates or config.format == "bop-webdataset"):
        name = "coordinates" if config.coordinates else "format"
        raise InputError(f"render.{name}: hands have no {HAND_LACKS[name]}; leave it, or --hand")
    if config.hand is not None and scene.layout in SETTLED:
        raise InputError(
            f"render.hand: a {scene.layout} has no room for a hand; use scene.layout=tabletop"
        )
    asked = {
        "render.hand": config.hand is not None,
        "render.normals": config.normals,
        "render.coordinates": config.coordinates,
        "scene.shadow_chance": scene.shadow_chance > 0,
        "scene.environment": scene.environment != "none",
        "scene.textures": bool(scene.textures),
        "scene.object_textures": scene.object_textures > 0,
    }
    for name, wanted in asked.items():
        if wanted and config.renderer == "pyrender":
            raise InputError(f"{name}: pyrender does not draw that here; use --renderer moderngl")


def _check_ids(config: RenderConfig, models: Mapping[int, ObjectModel]) -> None:
    missing = sorted({int(i) for i in config.obj_ids} - set(models))
    if missing:
        raise InputError(f"render.obj_ids: no object {missing[0]}; there are {sorted(models)}")


def _digest_of(views: Mapping[int, np.ndarray]) -> str:
    """16 hex digits of the sides that objects show."""
    made = hashlib.blake2b(digest_size=8)
    for obj_id, rotations in sorted(views.items()):
        made.update(f"{obj_id} {rotations.shape}".encode() + rotations.tobytes())
    return made.hexdigest()


def _say_finishes(models: Iterable[ObjectModel], physical: bool) -> None:
    """Say which meshes have surfaces of their own that are not drawn, or not written."""
    for model in models:
        if model.mesh.finish is not None:
            where = "is drawn from this file; models/ holds its colours alone"
            why = where if physical else "is drawn with scene.environment only"
            log.info("%s: its surface (%s) %s", model.source, model.mesh.finish.words, why)


def mesh_digest(model: ObjectModel, physical: bool = False) -> str:
    """16 hex digits that say whether an object is the same, to the last bit of what is drawn.

    physical: in an environment, where its finish counts.
    """
    mesh, made = model.mesh, hashlib.blake2b(digest_size=8)
    drawn = (mesh.vertices, mesh.faces, mesh.normals, mesh.colors, mesh.uv, mesh.texture)
    for array in (*drawn, mesh.opacity):
        if array is not None:
            made.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    if physical and mesh.finish is not None:
        made.update(mesh.finish.digest.encode())
    made.update(json.dumps(model.info, sort_keys=True).encode())
    return made.hexdigest()
