"""What a refiner has learnt, in a file beside the networks whose poses it refines."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from render.array_file import Wanted, read_npz
from render.contour.colors import BINS, Colors
from render.draw.renderer import RenderConfig, make_renderer
from render.errors import InputError
from render.mesh.mesh import Mesh, ObjectModel
from render.whole_file import whole_file
from train.objects.refine.refiner import Refiner

REFINER = "refiner.npz"  # in the folder of an object of a run
MOST_ROUNDS = 20
ARRAYS = {
    "vertices": Wanted(("vertices", 3), "f"),
    "normals": Wanted(("vertices", 3), "f"),
    "faces": Wanted(("faces", 3), "i"),
    "box": Wanted((2, 3), "f"),
    "diameter": Wanted((), "f"),
    "obj_id": Wanted((), "i"),
    "inside": Wanted((BINS**3,), "f"),
    "around": Wanted((BINS**3,), "f"),
    "rounds": Wanted((), "i"),
    "rim_px": Wanted((), "f"),
}
CUT = {  # of a mesh that is cut out by alpha
    "opacity": Wanted(("vertices",), "f"),
    "uv": Wanted(("vertices", 2), "f"),
    "texture": Wanted(("height", "width", 4), "u"),
}
LATER = {"contour_error": Wanted((6, 6), "f")}  # not in older files
TYPES = {"opacity": np.float32, "uv": np.float32, "texture": np.uint8}


def leave_refiner(refiner: Refiner | None, folder: Path) -> None:
    """Write what a refiner knows, the object's shape with it; or see that no older one is there."""
    if refiner is None:
        (folder / REFINER).unlink(missing_ok=True)
        return
    model = refiner.model
    with whole_file(folder / REFINER) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            vertices=model.mesh.vertices,
            normals=model.mesh.normals,
            faces=model.mesh.faces,
            box=model.box,
            diameter=np.float64(model.diameter),
            obj_id=np.int64(model.obj_id),
            inside=refiner.colors.inside,
            around=refiner.colors.around,
            rounds=np.int64(refiner.rounds),
            rim_px=np.float64(refiner.rim_px),
            contour_error=refiner.contour_error,
            **_cut_of(model.mesh),
        )


def _cut_of(mesh: Mesh) -> dict[str, np.ndarray]:
    """The arrays of CUT that a mesh has."""
    if mesh.opacity is None:
        return {}
    if mesh.uv is None or mesh.texture is None or mesh.texture.shape[2] < 4:
        return {"opacity": mesh.opacity}
    return {"opacity": mesh.opacity, "uv": mesh.uv, "texture": mesh.texture}


@contextmanager
def read_refiner(folder: Path, obj_id: int) -> Iterator[Refiner | None]:
    """The refiner of an object that `leave_refiner` left.

    Yields:
        None where it left none: poses are then as the network reads them.

    Raises:
        InputError: the file is damaged, or another object's.
    """
    path = folder / REFINER
    if not path.is_file():
        yield None
        return
    found = read_npz(path, ARRAYS, {**CUT, **LATER})
    _check(found, path, obj_id)
    vertices = found["vertices"].astype(np.float32)
    cut: dict[str, Any] = {n: found[n].astype(kind) for n, kind in TYPES.items() if n in found}
    mesh = Mesh(
        vertices,
        found["faces"].astype(np.int32),
        found["normals"].astype(np.float32),
        np.full(vertices.shape, 255, np.uint8),
        **cut,
    )
    box, diameter = found["box"].astype(np.float64), float(found["diameter"])
    model = ObjectModel(obj_id, mesh, diameter, box, np.eye(4)[None], {}, str(path))
    colors = Colors(found["inside"].astype(np.float64), found["around"].astype(np.float64))
    with closing(make_renderer({obj_id: model}, RenderConfig(coordinates=True))) as renderer:
        yield Refiner(
            model,
            renderer,
            colors,
            int(found["rounds"]),
            float(found["rim_px"]),
            found.get("contour_error"),
        )


def _check(found: dict[str, np.ndarray], path: Path, obj_id: int) -> None:
    if found["obj_id"] != obj_id:
        raise InputError(f"{path}: refines object {found['obj_id']}, not {obj_id}")
    faces, shares = found["faces"], np.stack([found["inside"], found["around"]])
    if not len(faces) or faces.min() < 0 or faces.max() >= len(found["vertices"]):
        raise InputError(
            f"{path}: faces must name vertices, of which it has {len(found['vertices'])}"
        )
    if shares.min() < 0 or shares.max() > 1:
        raise InputError(f"{path}: inside and around must be shares, from 0 to 1")
    error = found.get("contour_error", np.zeros((6, 6)))
    if not np.allclose(error, error.T) or np.linalg.eigvalsh(error).min() < -1e-9:
        raise InputError(f"{path}: contour_error must be a mean of outer products")
    if not 1 <= found["rounds"] <= MOST_ROUNDS or found["diameter"] <= 0:
        raise InputError(f"{path}: rounds must be 1 to {MOST_ROUNDS}, and the diameter positive")
