"""Three objects by the rasteriser and by a path tracer, Mitsuba 3, in the same surroundings.

    pip install -e '.[tracer]'
    python benchmarks/path_tracer.py [--out out/path_tracer.png] [--samples 64]

Writes them side by side: ours, traced, and four times the difference; and prints the mean
difference of the objects' pixels, of 255. Mitsuba's `principled` surfaces are Disney's, close to
glTF's.
"""

import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be this file

import click
import numpy as np

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.environment.display import displayed
from render.environment.light import prepare
from render.environment.panorama import directions
from render.environment.spec import Environment
from render.image_file import write_png
from render.mesh.mesh import Mesh, ObjectModel, load_models
from render.scene.spec import Background, Material, Placed, SceneSpec, rows
from render.transforms import look_at

AMBIENT = (0.6, 0.6, 0.6)
MATERIALS = (
    Material(roughness=0.4, metallic=0.0),
    Material(roughness=0.8, metallic=0.0),
    Material(roughness=0.3, metallic=1.0),
)
KINDS = ("studio", "room", "sky")
SIDE = 256  # pixels


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/path_tracer.png"))
@click.option("--samples", default=64, help="Paths a pixel.")
def main(out: Path, samples: int) -> None:
    """Draw three bundled objects with both."""
    try:
        import mitsuba
    except ImportError:
        raise click.ClickException("mitsuba is not installed: pip install mitsuba==3.9.1") from None
    mitsuba.set_variant("scalar_rgb")
    models = {i: _in_one_color(model) for i, model in load_models(["assets"]).items()}
    columns = []
    with closing(Rasterizer({i: m.mesh for i, m in models.items()})) as rasterizer:
        shown = zip(models.items(), MATERIALS, KINDS, strict=True)
        for (obj_id, model), material, kind in shown:
            spec = _spec(obj_id, model.box, model.diameter, material, kind)
            (ours,) = rasterizer.render([spec])
            traced = displayed(_trace(mitsuba, spec, model.mesh, samples))
            assert ours.rgb is not None and ours.depth is not None
            covered = ours.depth > 0
            traced = np.where(covered[..., None], traced, 0).astype(np.uint8)
            difference = np.abs(ours.rgb.astype(int) - traced)
            columns.append([ours.rgb, traced, np.minimum(4 * difference, 255)])
            kinds = f"object {obj_id} of roughness {material.roughness:g}, {kind}"
            shift = (ours.rgb.astype(int) - traced)[covered].mean()
            click.echo(f"{kinds}: {difference[covered].mean():.1f} of 255, mean shift {shift:+.1f}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_png(out, np.concatenate([np.concatenate(c, axis=1) for c in columns]).astype(np.uint8))
    click.echo(str(out))


def _in_one_color(model: ObjectModel) -> ObjectModel:
    """A model without a texture in the mean of its colours, which both can show."""
    if model.mesh.texture is not None:
        return model
    mean = np.round(model.mesh.colors.mean(axis=0)).astype(np.uint8)
    return replace(
        model, mesh=replace(model.mesh, colors=np.tile(mean, (len(model.mesh.colors), 1)))
    )


def _spec(
    obj_id: int, box: np.ndarray, diameter: float, material: Material, kind: str
) -> SceneSpec:
    """An object in the middle of a picture, seen from above and aside."""
    middle = box.mean(axis=0)
    eye = middle + 2.2 * diameter * np.array([0.7, -0.5, 0.5])
    cam_from_obj = look_at(eye, middle, np.array([0.0, 0.0, 1.0]))
    environment = Environment(kind, rows(cam_from_obj[:3, :3].T), seed=(3,))
    K = np.array([[2 * SIDE, 0, SIDE / 2 - 0.5], [0, 2 * SIDE, SIDE / 2 - 0.5], [0, 0, 1.0]])
    camera = Camera(K, SIDE, SIDE)
    placed = Placed(obj_id, rows(cam_from_obj), material)
    spec = SceneSpec(rows(camera.K), camera.size, (placed,), AMBIENT, environment=environment)
    return replace(spec, background=Background("plain"))


def _trace(mitsuba: Any, spec: SceneSpec, mesh: Mesh, samples: int) -> np.ndarray:
    """(H, W, 3) float radiance of a spec of one object, whose frame is the environment's."""
    (placed,) = spec.objects
    assert spec.environment is not None
    light = prepare(spec.environment)
    panorama = light.scale * light.radiance(directions(256, 512)) * np.array(AMBIENT)
    transform = mitsuba.ScalarTransform4f
    # Mitsuba's azimuth runs the other way; its y axis is up.
    emitter = {
        "type": "envmap",
        "bitmap": mitsuba.Bitmap(np.ascontiguousarray(panorama[:, ::-1].astype(np.float32))),
        "to_world": transform([[0, 0, -1, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    }
    obj_from_cam = np.linalg.inv(placed.matrix)
    obj_from_camera = obj_from_cam @ np.diag([-1.0, -1.0, 1.0, 1.0])  # its x is left, its y up
    sensor = {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(SIDE / 2 / spec.K[0][0]))),
        "to_world": transform(obj_from_camera.tolist()),
        "near_clip": 0.001,
        "film": {"type": "hdrfilm", "width": SIDE, "height": SIDE, "rfilter": {"type": "box"}},
        "sampler": {"type": "independent", "sample_count": samples},
    }
    with tempfile.TemporaryDirectory() as folder:
        scene = mitsuba.load_dict(
            {
                "type": "scene",
                "integrator": {"type": "path", "max_depth": 6},
                "emitter": emitter,
                "sensor": sensor,
                "object": _shape(mitsuba, mesh, placed.material, Path(folder)),
            }
        )
        return np.array(mitsuba.render(scene))[..., :3].astype(np.float64)


def _shape(mitsuba: Any, mesh: Mesh, material: Material, folder: Path) -> dict[str, Any]:
    """A mesh as Mitsuba reads it, through an OBJ file."""
    uv = np.zeros((len(mesh.vertices), 2)) if mesh.uv is None else mesh.uv
    texture = mesh.colors[:1, None] if mesh.texture is None else mesh.texture
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.vertices]
    lines += [f"vt {u:.9g} {v:.9g}" for u, v in uv]
    lines += [f"vn {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.normals]
    lines += ["f " + " ".join(f"{i}/{i}/{i}" for i in face) for face in (mesh.faces + 1).tolist()]
    (folder / "mesh.obj").write_text("\n".join(lines) + "\n")
    roughness, metallic = material.microfacets
    surface = {
        "type": "principled",
        "base_color": {
            "type": "bitmap",
            "bitmap": mitsuba.Bitmap(np.ascontiguousarray(texture)),
            "raw": False,
        },
        "roughness": roughness,
        "metallic": metallic,
        "specular": 0.5,  # 4 % head-on
    }
    both = {"type": "twosided", "bsdf": surface}
    return {"type": "obj", "filename": str(folder / "mesh.obj"), "bsdf": both}


if __name__ == "__main__":
    main()
