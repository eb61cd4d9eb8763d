"""The meshes that a dataset's annotations name: found, read, and drawn at their poses."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from render.camera import Camera
from render.draw.bent import draw_bent
from render.errors import InputError
from render.formats.bop_records import parse_float, read_records
from render.frame import Frame
from render.hand.model import HandModel
from render.mesh.mesh import Mesh, load_models
from render.scene.spec import Placed, Posture, SceneSpec, near_of, rows
from render.validate.fault import Faults
from render.validate.records import InstanceRecord


class Models:
    """A dataset's `models` folder; its meshes are read when an annotation first names them.

    present: False where there is no such folder, so that nothing is known of any object.
    meshes: those read so far, by object id.
    """

    def __init__(self, folder: Path, faults: Faults) -> None:
        self.folder, self._faults = folder, faults
        self.present = folder.is_dir()
        self.meshes: dict[int, Mesh] = {}
        self._asked: set[int] = set()
        self._listed: Mapping[int, Any] | None = None
        if self.present:
            with faults.caught(folder / "models_info.json"):
                self._listed = read_records(folder / "models_info.json")

    def path(self, obj_id: int) -> Path:
        """Where an object's mesh is, or should be."""
        return self.folder / f"obj_{obj_id:06d}.ply"

    def knows(self, obj_id: int) -> bool:
        """Whether an object has a mesh, or a record without one, which is another fault."""
        return not self.present or self.path(obj_id).is_file() or obj_id in (self._listed or ())

    def box(self, obj_id: int) -> np.ndarray | None:
        """(2, 3) min and max corner of an object, metres; None where its record does not tell."""
        record = (self._listed or {}).get(obj_id)
        with suppress(InputError):
            if isinstance(record, dict):
                low, size = (
                    [parse_float(record, f"{key}_{axis}", "") / 1000 for axis in "xyz"]
                    for key in ("min", "size")
                )
                return np.array([low, np.add(low, size)])
        return None

    def ask(self, obj_ids: Iterable[int], read: bool) -> None:
        """Report what is wrong with objects' files, once each; `read` their meshes too."""
        for obj_id in sorted(set(obj_ids) - self._asked):
            self._asked.add(obj_id)
            path = self.path(obj_id)
            if not self.present or not self.knows(obj_id):
                continue
            if not path.is_file():
                self._faults.add(path, f"no such file, but models_info.json lists object {obj_id}")
                continue
            if self._listed is not None and obj_id not in self._listed:
                message = f"object {obj_id} is missing, which {path.name} is the mesh of"
                self._faults.add(self.folder / "models_info.json", message)
            if read:
                with self._faults.caught(path):
                    model = load_models([self.folder], "mm", [obj_id])[obj_id]
                    self.meshes[obj_id] = model.mesh


class PoseDrawer:
    """Draws annotated objects, each alone at its pose."""

    def __init__(
        self,
        meshes: Mapping[int, Mesh],
        hands: Mapping[int, HandModel] = MappingProxyType({}),
        normals: bool = False,
    ) -> None:
        """
        Args:
            hands: the models of those that have postures, by a number that is no mesh's.
            normals: frames shall have them.

        Raises:
            InputError: there is no OpenGL here.
        """
        from render.draw.rasterizer import Rasterizer

        try:
            self._rasterizer = Rasterizer({**meshes, **hands}, normals=normals)
        except InputError as error:
            raise InputError(f"{error}; or --no-render, which leaves the poses unchecked") from None
        self._obj_ids = set(meshes)

    def close(self) -> None:
        """Free the OpenGL context."""
        self._rasterizer.close()

    def draw(
        self,
        camera: Camera,
        instances: Sequence[InstanceRecord],
        postures: Mapping[int, tuple[int, Posture]] = MappingProxyType({}),
    ) -> list[Frame | None]:
        """A frame of each, with depth, and normals if asked for; None without pose or mesh.

        Args:
            postures: gt id -> number of a hand, and how it is bent.
        """
        specs = {}
        for i, a in enumerate(instances):
            if a.obj_id in self._obj_ids and a.obj_id is not None and a.cam_from_obj is not None:
                obj_id, posture = postures.get(i, (a.obj_id, None))
                placed = Placed(obj_id, rows(a.cam_from_obj), posture=posture)
                near = near_of([placed])
                alone = SceneSpec(rows(camera.K), camera.size, (placed,), near=near)
                specs[i] = replace(alone, distortion=camera.distortion)
        if camera.distortion is None:
            frames = self._rasterizer.render(list(specs.values()))
        else:
            frames = [draw_bent(self._rasterizer, spec) for spec in specs.values()]
        drawn = dict(zip(specs, frames, strict=True))
        return [drawn.get(i) for i in range(len(instances))]
