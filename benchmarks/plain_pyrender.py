"""What one writes with pyrender and imageio alone, to render a BOP dataset.

    python benchmarks/plain_pyrender.py DATASET OUT COUNT

draws the first COUNT frames of DATASET, which `render` made, again and writes the same files.
Nothing of this project is imported.
"""

# what pyrender reads on its import comes first
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # before pyrender's first import

import imageio.v3 as iio
import numpy as np
import trimesh

setattr(np, "infty", np.inf)  # noqa: B010  # pyrender 0.1.45 expects NumPy 1's name
import pyglet

pyglet.options["headless"] = True
import pyrender

GL_FROM_CAM = np.diag([1.0, -1.0, -1.0, 1.0])
DEPTH_SCALE = 0.1  # mm


class Renderer:
    """One OffscreenRenderer for all frames, plain: pyrender's own camera, lights and flags."""

    def __init__(
        self,
        meshes: dict[int, trimesh.Trimesh],
        size: tuple[int, int],
        offscreen: pyrender.OffscreenRenderer,
    ) -> None:
        self.meshes = {i: pyrender.Mesh.from_trimesh(mesh) for i, mesh in meshes.items()}
        self.size, self.offscreen = size, offscreen

    def scene(self, spec: dict) -> tuple[pyrender.Scene, list[pyrender.Node]]:
        """The scene of a SceneSpec's JSON, and the nodes of its objects."""
        scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=spec["ambient"])
        scene.add(self.camera(spec), pose=np.eye(4))
        for light in spec["lights"]:
            scene.add(pyrender.DirectionalLight(light["color"], np.pi), pose=_pose(light["vector"]))
        nodes = [
            scene.add(
                self.meshes[placed["obj_id"]], pose=GL_FROM_CAM @ np.array(placed["cam_from_obj"])
            )
            for placed in spec["objects"]
        ]
        return scene, nodes

    def camera(self, spec: dict, shift: tuple[int, int] = (0, 0)) -> pyrender.IntrinsicsCamera:
        """The spec's camera; shift: of the image on a larger canvas, pixels."""
        (fx, _, cx), (_, fy, cy) = spec["K"][:2]
        x, y = shift
        return pyrender.IntrinsicsCamera(fx, fy, cx + 0.5 + x, cy + 0.5 + y, znear=0.01, zfar=10)

    def ids(self, scene: pyrender.Scene, nodes: list[pyrender.Node]) -> np.ndarray:
        """(H, W) index of the object seen, from 1."""
        numbers = {node: i + 1 for i, node in enumerate(nodes)}
        flags = pyrender.RenderFlags.SEG
        return self.offscreen.render(scene, flags=flags, seg_node_map=numbers)[0][..., 0]

    def silhouettes(self, spec: dict) -> list[np.ndarray]:
        """(3H, 3W) bool of each object alone, as bop_toolkit draws them for scene_gt_info.json."""
        width, height = self.size
        self.offscreen.viewport_width, self.offscreen.viewport_height = 3 * width, 3 * height
        masks = []
        for placed in spec["objects"]:
            scene = pyrender.Scene()
            scene.add(self.camera(spec, (width, height)), pose=np.eye(4))
            pose = GL_FROM_CAM @ np.array(placed["cam_from_obj"])
            scene.add(self.meshes[placed["obj_id"]], pose=pose)
            depth = self.offscreen.render(scene, flags=pyrender.RenderFlags.DEPTH_ONLY)
            masks.append(depth > 0)
        self.offscreen.viewport_width, self.offscreen.viewport_height = width, height
        return masks


def _pose(vector: list[float]) -> np.ndarray:
    """(4, 4) of a light that shines from where the vector points, OpenCV's axes."""
    z = GL_FROM_CAM[:3, :3] @ vector / np.linalg.norm(vector)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([x, np.cross(z, x), z])
    return pose


def write_dataset(dataset: Path, out: Path, count: int) -> None:
    """Draw the first frames of a dataset's scene 0 again, and write its BOP files."""
    scene_dir = out / "000000"
    for folder in ("rgb", "depth", "mask", "mask_visib"):
        (scene_dir / folder).mkdir(parents=True)
    specs = json.loads((dataset / "train" / "000000" / "scene_spec.json").read_text())
    chosen = [specs[str(i)] for i in range(count)]
    obj_ids = sorted({placed["obj_id"] for spec in chosen for placed in spec["objects"]})
    meshes = {i: trimesh.load_mesh(dataset / "models" / f"obj_{i:06d}.ply") for i in obj_ids}
    for mesh in meshes.values():
        mesh.apply_scale(0.001)
    size = tuple(chosen[0]["size"])
    renderer = Renderer(meshes, size, pyrender.OffscreenRenderer(*size))

    records: dict[str, dict] = {"scene_camera": {}, "scene_gt": {}, "scene_gt_info": {}}
    for i, spec in enumerate(chosen):
        K = np.array(spec["K"]).ravel().tolist()
        records["scene_camera"][i] = {"cam_K": K, "depth_scale": DEPTH_SCALE}
        records["scene_gt"][i] = [_gt(placed) for placed in spec["objects"]]
        records["scene_gt_info"][i] = _write_frame(renderer, spec, scene_dir, i)
    for name, content in records.items():
        (scene_dir / f"{name}.json").write_text(json.dumps(content))


def _write_frame(renderer: Renderer, spec: dict, scene_dir: Path, im_id: int) -> list[dict]:
    """Write a frame's images; returns what scene_gt_info.json says of its objects."""
    scene, nodes = renderer.scene(spec)
    rgb, depth = renderer.offscreen.render(scene)
    ids = renderer.ids(scene, nodes)
    iio.imwrite(scene_dir / "rgb" / f"{im_id:06d}.png", rgb)
    depth_steps = np.round(depth * 1000 / DEPTH_SCALE).astype(np.uint16)
    iio.imwrite(scene_dir / "depth" / f"{im_id:06d}.png", depth_steps)

    info, (width, height) = [], renderer.size
    for i, whole in enumerate(renderer.silhouettes(spec)):
        visible, inside = ids == i + 1, whole[height : 2 * height, width : 2 * width]
        name = f"{im_id:06d}_{i:06d}.png"
        iio.imwrite(scene_dir / "mask" / name, inside.astype(np.uint8) * 255)
        iio.imwrite(scene_dir / "mask_visib" / name, visible.astype(np.uint8) * 255)
        x, y, w, h = _box(whole)
        info.append(
            {
                "bbox_obj": [x - width, y - height, w, h],
                "bbox_visib": _box(visible),
                "px_count_all": int(whole.sum()),
                "px_count_valid": int((depth[inside] > 0).sum()),
                "px_count_visib": int(visible.sum()),
                "visib_fract": float(visible.sum() / max(whole.sum(), 1)),
            }
        )
    return info


def _gt(placed: dict) -> dict:
    cam_from_obj = np.array(placed["cam_from_obj"])
    return {
        "obj_id": placed["obj_id"],
        "cam_R_m2c": cam_from_obj[:3, :3].ravel().tolist(),
        "cam_t_m2c": (1000 * cam_from_obj[:3, 3]).tolist(),
    }


def _box(mask: np.ndarray) -> list[int]:
    """BOP's x, y, max-min, max-min."""
    v, u = np.nonzero(mask)
    if not len(u):
        return [-1, -1, -1, -1]
    return [int(x) for x in (u.min(), v.min(), np.ptp(u), np.ptp(v))]


if __name__ == "__main__":
    write_dataset(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
