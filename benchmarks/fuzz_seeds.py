"""Valid files to be damaged, small: images and meshes of every kind that is read."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from render.image_file import FORMATS, write_png
from render.mesh.mesh import load_mesh, write_ply

SIDE = (18, 24)  # height and width of images, pixels
MTL = (
    "newmtl red\nKd 0.8 0.1 0.1\nmap_Kd skin.png\n\nnewmtl blue\nKd 0.1 0.1 0.8\nKa 0 0 0\nd 1.0\n"
)


def picture(channels: int = 3) -> np.ndarray:
    """(H, W, channels) uint8 of noise over a ramp."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, SIDE[1])[None, :, None]
    return (ramp + 50 * rng.random((*SIDE, channels))).astype(np.uint8)


def make_rgb(folder: Path) -> None:
    image = Image.fromarray(picture())
    for kind in FORMATS:
        image.save(folder / f"a.{kind.lower()}", kind)
    write_png(folder / "ours.png", picture())
    Image.fromarray(picture(4)).save(folder / "alpha.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("L").save(folder / "gray.png")
    image.convert("1").save(folder / "bits.tif", compression="group4")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.save(folder / "lzw.tif", compression="tiff_lzw")


def make_photo(folder: Path) -> None:
    """As a phone leaves them, on their side."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        Image.fromarray(picture()).save(folder / f"a.{kind.lower()}", kind, exif=exif)


def make_other_formats(folder: Path) -> None:
    """All that Pillow writes and the project does not read, named .png."""
    Image.init()
    for kind in sorted(set(Image.SAVE) - set(FORMATS)):
        for mode in ("RGB", "L", "1", "P", "RGBA", "F"):
            content = io.BytesIO()
            try:
                Image.fromarray(picture()).convert(mode).save(content, kind)
            except Exception:  # this format has not this mode, or this Pillow cannot write it
                continue
            (folder / f"{kind}.png").write_bytes(content.getvalue())
            break


def make_gray16(folder: Path) -> None:
    depth = picture(1)[..., 0].astype(np.uint16) * 40
    write_png(folder / "a.png", depth)
    Image.fromarray(depth).save(folder / "b.png")
    Image.fromarray(depth).save(folder / "c.tif")


def make_mask(folder: Path) -> None:
    mask = picture(1)[..., 0] > 120
    write_png(folder / "a.png", mask)
    Image.fromarray(mask).save(folder / "bits.png")


def make_rgb16(folder: Path) -> None:
    write_png(folder / "a.png", picture().astype(np.uint16) * 250)


def lump() -> trimesh.Trimesh:
    """A closed mesh with colours, 10 cm large."""
    mesh = trimesh.creation.icosphere(subdivisions=1, radius=0.05)
    mesh.visual.vertex_colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4))
    return mesh


def textured() -> trimesh.Trimesh:
    """The same under a texture."""
    mesh = trimesh.creation.icosphere(subdivisions=1, radius=0.05)
    uv = 0.5 + 9 * mesh.vertices[:, :2]
    mesh.visual = trimesh.visual.TextureVisuals(uv, image=Image.fromarray(picture()))
    return mesh


def make_ply(folder: Path) -> None:
    lump().export(folder / "binary.ply")
    lump().export(folder / "text.ply", encoding="ascii")
    textured().export(folder / "x.glb")
    mesh = load_mesh(folder / "x.glb", "m")
    write_ply(folder / "textured.ply", replace(mesh, vertices=mesh.vertices / 1000))  # writes mm
    (folder / "x.glb").unlink()


def make_obj(folder: Path) -> None:
    """Two materials, one with a texture; quadrilaterals, groups, negative indices."""
    write_png(folder / "skin.png", picture())
    (folder / "a.mtl").write_text(MTL)
    lines = ["mtllib a.mtl", "o box", *(f"v {x} {y} {z}" for x, y, z in _corners())]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", "vn 0 0 1", "g one", "usemtl red", "s off"]
    lines += ["f 1/1 2/2 4/3 3/4", "f 5/1 7/2 8/3 6/4", "usemtl blue", "f 1 5 6 2", "f 3 4 8 7"]
    lines += ["f -8//1 -6//1 -2//1 -4//1", "f 2 6 8 4"]
    (folder / "a.obj").write_text("\n".join(lines) + "\n")
    lump().export(folder / "colored.obj")


def _corners() -> list[tuple[float, float, float]]:
    values = (-0.05, 0.05)
    return [(x, y, z) for x in values for y in values for z in values]


def make_stl(folder: Path) -> None:
    lump().export(folder / "binary.stl")
    lump().export(folder / "text.stl", file_type="stl_ascii")


def make_off(folder: Path) -> None:
    lump().export(folder / "a.off")
    (folder / "quads.off").write_text(
        "OFF\n8 3 0\n"
        + "".join(f"{x} {y} {z}\n" for x, y, z in _corners())
        + "4 0 1 3 2\n4 4 6 7 5\n4 0 4 5 1 255 0 0\n"
    )


def make_glb(folder: Path) -> None:
    lump().export(folder / "colored.glb")
    textured().export(folder / "textured.glb")


def make_gltf(folder: Path) -> None:
    scene = trimesh.Scene([textured()])
    for name, content in trimesh.exchange.gltf.export_gltf(scene).items():
        name = "a.gltf" if name.endswith(".gltf") else name
        (folder / name).write_bytes(content)


def make_models(folder: Path) -> None:
    """A BOP models folder of two objects."""
    record = {f"min_{axis}": -50.0 for axis in "xyz"} | {f"size_{axis}": 100.0 for axis in "xyz"}
    record["diameter"] = 100.0
    turn = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    symmetric = {
        **record,
        "symmetries_discrete": [turn],
        "symmetries_continuous": [{"axis": [0, 0, 1], "offset": [0, 0, 0]}],
    }
    mesh = lump()
    mesh.apply_scale(1000)
    for obj_id in (1, 2):
        mesh.export(folder / f"obj_{obj_id:06d}.ply")
    infos = {"1": record, "2": symmetric}
    (folder / "models_info.json").write_text(json.dumps(infos))


def make_cameras(folder: Path) -> None:
    sensor = {"cx": 320.0, "cy": 240.0, "fx": 600.0, "fy": 600.0, "width": 640, "height": 480}
    (folder / "camera.json").write_text(json.dumps({**sensor, "depth_scale": 0.1}))
    matrix = "rows: 3, cols: 3, dt: d, data: [600., 0., 320., 0., 600., 240., 0., 0., 1.]"
    (folder / "opencv.yaml").write_text(
        "%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\n"
        f"camera_matrix: !!opencv-matrix\n   {matrix.replace(', ', chr(10) + '   ', 3)}\n"
        "distortion_coefficients: [0., 0., 0., 0., 0.]\n"
    )
    (folder / "ros.yaml").write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: left\ncamera_matrix:\n  rows: 3\n"
        "  cols: 3\n  data: [600., 0., 320., 0., 600., 240., 0., 0., 1.]\n"
        "distortion_model: plumb_bob\n"
    )
    (folder / "opencv.xml").write_text(
        '<?xml version="1.0"?>\n<opencv_storage>\n<image_width>640</image_width>\n'
        "<image_height>480</image_height>\n"
        '<camera_matrix type_id="opencv-matrix">\n<rows>3</rows>\n<cols>3</cols>\n<dt>d</dt>\n'
        "<data>600. 0. 320. 0. 600. 240. 0. 0. 1.</data></camera_matrix>\n</opencv_storage>\n"
    )
