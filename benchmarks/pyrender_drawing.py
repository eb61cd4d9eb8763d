"""Frames a second of pyrender's OffscreenRenderer; for a process in which nothing else draws."""

import json
import time
from functools import cache

import pyrender
import trimesh
from PIL import Image

from benchmarks.plain_pyrender import Renderer
from benchmarks.workload import Workload, mesh_of, specs_of


@cache
def _renderer(workload: Workload) -> Renderer:
    mesh = mesh_of(workload.source, workload.obj_id, workload.faces)
    if mesh.texture is None or mesh.uv is None:
        visual: trimesh.visual.ColorVisuals | trimesh.visual.TextureVisuals = (
            trimesh.visual.ColorVisuals(vertex_colors=mesh.colors)
        )
    else:
        visual = trimesh.visual.TextureVisuals(mesh.uv, image=Image.fromarray(mesh.texture))
    plain = trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_normals=mesh.normals, visual=visual, process=False
    )
    return Renderer({workload.obj_id: plain}, workload.size, _offscreen())


@cache
def _offscreen() -> pyrender.OffscreenRenderer:
    """The one of this process: pyrender cannot have two."""
    return pyrender.OffscreenRenderer(640, 480)


@cache
def _scenes(workload: Workload) -> list[pyrender.Scene]:
    specs = [json.loads(spec.to_json()) for spec in specs_of(workload)]
    return [_renderer(workload).scene(spec)[0] for spec in specs]


def seconds(workload: Workload, count: int) -> float:
    """Time that the colour and depth of `count` frames take."""
    offscreen, scenes = _renderer(workload).offscreen, _scenes(workload)
    offscreen.viewport_width, offscreen.viewport_height = workload.size
    start = time.perf_counter()
    for i in range(count):
        offscreen.render(scenes[i % len(scenes)])
    return time.perf_counter() - start
