"""What alpha cuts out of a mesh is in no image: colour, depth, ids, silhouettes, shadows."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.capture.placed.outline import outline
from render.draw.level_of_detail import make_levels
from render.draw.rasterizer import Rasterizer
from render.draw.reference import PyrenderRenderer
from render.environment.spec import Environment
from render.errors import InputError
from render.mesh.mesh import Mesh, load_mesh, object_model, write_ply
from render.scene.spec import Light, Material
from render.transforms import rodrigues
from tests.gltf_samples import GltfSample
from tests.scenes import FULL_AMBIENT, at, draw, quads, scene, square

# A square of 0.2 m is 160 pixels wide at 1 m; a field of the board 20.
CAMERA = Camera(np.array([[800.0, 0, 127.5], [0, 800, 127.5], [0, 0, 1]]), 256, 256)
CORNERS = np.array([[0, 1], [0, 0], [1, 0], [1, 1]], np.float32)  # uv of `square`
FIELDS = np.indices((8, 8)).sum(axis=0) % 2
BLACK = (0.0, 0.0, 0.0)


def alpha(fields: np.ndarray = FIELDS, texels: int = 8) -> np.ndarray:
    """A white texture whose fields are there or not."""
    there = 255 * fields.repeat(texels, axis=0).repeat(texels, axis=1)
    return np.dstack([np.full((*there.shape, 3), 255), there]).astype(np.uint8)


def board(texture: np.ndarray | None = None, opacity: float = 2.0) -> Mesh:
    """A square of 0.2 m with the alpha of a checkerboard; opacity 2 cuts at a half."""
    return square(
        0.1,
        colors=np.full((4, 3), 255, np.uint8),
        uv=CORNERS,
        texture=alpha() if texture is None else texture,
        opacity=np.full(4, opacity, np.float32),
    )


def there(fields: np.ndarray = FIELDS) -> np.ndarray:
    """(256, 256) where the board is to be seen."""
    seen = np.zeros((256, 256), bool)
    seen[48:208, 48:208] = fields.repeat(20, axis=0).repeat(20, axis=1)
    return seen


ENVIRONMENTS = [None, Environment("room", seed=(1,))]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=["lamps", "environment"])
def test_half_of_a_checkerboard_is_there_in_every_image(environment):
    """Exactly its fields: where it is not, the wall behind it is."""
    spec = scene(
        CAMERA,
        at([0, 0, 1.0]),
        at([0, 0, 1.2], obj_id=2),
        environment=environment,
    )
    wall = square(0.3, colors=np.full((4, 3), (0, 0, 255), np.uint8))
    with Rasterizer({1: board(), 2: wall}, normals=True, coordinates=True) as rasterizer:
        (frame,) = rasterizer.render([spec])
        masks = rasterizer.full_masks(spec)
        alone = rasterizer.full_masks(replace(spec, objects=spec.objects[:1]), 3)
    np.testing.assert_array_equal(frame.instance == 1, there())
    np.testing.assert_array_equal(np.isclose(frame.depth, 1.0), there())
    np.testing.assert_array_equal(np.isclose(frame.depth, 1.2), ~there())
    rgb = frame.rgb.astype(int)
    np.testing.assert_array_equal(2 * rgb[..., 0] > rgb[..., 2], there())
    np.testing.assert_allclose(frame.coordinates[there()][:, 2], 0, atol=1e-6)
    assert np.abs(frame.coordinates[~there()][:, :2]).max() > 0.15
    np.testing.assert_allclose(frame.normals[..., 2], -1, atol=1e-6)
    np.testing.assert_array_equal(masks[0], there())
    assert masks[1].all()
    np.testing.assert_array_equal(alone[0, 256:512, 256:512], there())
    assert alone.sum() == there().sum()


def test_the_color_of_clear_texels_is_nowhere_however_far_off():
    """Many programs write them black, and coarser mipmaps mix them with what is there."""
    texture = alpha(texels=4)
    texture[texture[..., 3] == 0] = 0
    for z in (0.3, 1.0, 8.0):
        (frame,) = draw({1: board(texture)}, scene(CAMERA, at([0, 0, z]), ambient=FULL_AMBIENT))
        seen = frame.instance == 1
        assert seen.any() and (frame.rgb[seen] == 255).all()


def test_a_shadow_has_the_holes_too():
    """A lamp at the camera, a wall twice as far: what is seen hides just what would be dark."""
    lamp = Light("point", (0.0, 0.0, 0.0), shadow=True)
    placed = at([0, 0, 1.0], annotated=False), at([0, 0, 2.0], obj_id=2)
    spec = scene(CAMERA, *placed, lights=(lamp,), ambient=BLACK)
    meshes = {1: board(), 2: square(0.5)}
    (frame,) = draw(meshes, spec)
    wall = frame.instance == 1
    np.testing.assert_array_equal(wall, ~there())
    dark = wall & (frame.rgb.max(axis=2) == 0)
    # The map's texels are as wide as a third of a pixel; borders of fields may be off by one.
    assert dark.sum() < 0.02 * wall.sum()
    aside = replace(lamp, vector=(0.1, 0.0, 0.0))
    (frame,) = draw(meshes, replace(spec, lights=(aside,)))
    # Seen from 0.1 m aside, the shadow on the wall is moved by 0.1 m, 40 pixels: two fields.
    moved = np.zeros_like(wall)
    moved[:, :-40] = there()[:, 40:]
    dark = frame.rgb.max(axis=2) == 0
    seen = frame.instance == 1
    assert (dark == moved)[seen].mean() > 0.97
    assert dark[seen & moved].mean() > 0.95


def test_occlusion_is_that_of_what_is_there():
    """A board of which nothing is there hides nothing of the surroundings."""
    placed = at([0, 0, 1.0], annotated=False), at([0, 0, 1.02], obj_id=2)
    spec = scene(CAMERA, *placed, environment=ENVIRONMENTS[1])
    nothing = board(alpha(np.zeros((8, 8), int)))
    with_it, without = draw({1: nothing, 2: square(0.3)}, spec, replace(spec, objects=placed[1:]))
    # How far occlusion reaches goes with the sizes of what is placed.
    assert np.abs(with_it.rgb.astype(int) - without.rgb).max() <= 1


def test_a_tilted_board_has_one_silhouette_in_all_images(rng):
    """Pixel by pixel, through programs that are compiled apart."""
    fields = rng.integers(0, 2, (32, 32))
    mesh = board(alpha(fields, 4))
    with Rasterizer({1: mesh}) as rasterizer:
        for _ in range(8):
            R = rodrigues(rng.uniform(-1, 1, 3))
            spec = scene(CAMERA, at([0, 0, 0.7], R), lights=(Light("point", (0.2, 0.0, 0.0)),))
            lit = replace(spec, environment=ENVIRONMENTS[1])
            frame, in_environment = rasterizer.render([spec, lit])
            mask = rasterizer.full_masks(spec)[0]
            np.testing.assert_array_equal(frame.instance == 1, mask)
            np.testing.assert_array_equal(frame.depth > 0, mask)
            np.testing.assert_array_equal(in_environment.instance == 1, mask)
            assert mask.any()


def test_edges_of_holes_are_anti_aliased():
    """A slanted edge of alpha has shares between 0 and 1, as the square's own edges have."""
    half = alpha(np.tril(np.ones((64, 64), int), -1), 4)
    R = rodrigues(np.array([0, 0, 0.1]))
    spec = scene(CAMERA, at([0, 0, 1.0], R), ambient=FULL_AMBIENT)
    with Rasterizer({1: board(half)}, antialias=True) as rasterizer:
        (frame,) = rasterizer.render([spec])
    levels = np.unique(frame.rgb[100:156, 100:156, 0])  # away from the edges of the square
    assert set(levels) - {0, 255} and levels.min() == 0 and levels.max() == 255
    exact = 160**2 * (64 * 63 / 2) / 64**2
    assert frame.rgb[..., 0].sum() / 255 == pytest.approx(exact, rel=0.001)


def cut_sample(cutoff: float | None = None, **material) -> GltfSample:
    """A square of glTF whose colours of vertices have alpha from 0 on the left to 1."""
    sample = GltfSample()
    corners = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]], "f4")
    colors = np.array([[1, 1, 1, a] for a in (0, 1, 1, 0)], "f4")
    attributes = {"POSITION": sample.array(corners), "COLOR_0": sample.array(colors)}
    mode = {"alphaMode": "MASK"} | ({} if cutoff is None else {"alphaCutoff": cutoff})
    number = sample.put("materials", **{**mode, **material})
    indices = sample.array(np.array([0, 1, 2, 0, 2, 3], "u2"))
    primitive = {"attributes": attributes, "indices": indices, "material": number}
    sample.put("nodes", mesh=sample.put("meshes", primitives=[primitive]))
    return sample


def share_drawn(mesh: Mesh) -> float:
    spec = scene(CAMERA, at([0, 0, 1.0]))
    (frame,) = draw({1: mesh}, spec)
    return (frame.instance == 1).sum() / 160**2


@pytest.mark.parametrize(
    ("cutoff", "factor", "share"),
    [(None, 1.0, 0.5), (0.2, 1.0, 0.8), (0.2, 0.4, 0.5), (0.0, 0.4, 1.0)],
)
def test_alphas_multiply_and_the_cutoff_cuts(cutoff, factor, share, tmp_path):
    """Alpha rises from 0 to 1 across the square; times the factor, it passes the cutoff."""
    base = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, factor]}}
    path = cut_sample(cutoff, **base).write(tmp_path / "a.glb")
    assert share_drawn(load_mesh(path, up="z")) == pytest.approx(share, abs=1 / 160)


def test_what_is_just_as_opaque_as_the_cutoff_stays(tmp_path):
    """alpha >= alphaCutoff: of 1/3, 0.2 and a byte."""
    for cutoff in (1 / 3, 0.2, 128 / 255):
        sample = cut_sample(cutoff)
        alphas = np.full((4, 4), cutoff, "f4")
        attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
        attributes["COLOR_0"] = sample.array(alphas)
        assert share_drawn(load_mesh(sample.write(tmp_path / "a.glb"), up="z")) == 1


def test_a_mesh_that_is_all_cut_away_is_refused(tmp_path):
    """No image could show it: by a factor, and by a texture without any alpha."""
    faint = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.4]}}
    with pytest.raises(InputError, match=r"a\.glb: its alpha masks .* cut all of it away"):
        load_mesh(cut_sample(0.9, **faint).write(tmp_path / "a.glb"))
    write_ply(tmp_path / "b.ply", board(alpha(0 * FIELDS)))
    with pytest.raises(InputError, match="cut all of it away"):
        load_mesh(tmp_path / "b.ply", "mm")


def test_a_written_mesh_is_cut_out_when_it_is_read_again(tmp_path):
    """As a dataset's models are, texture and all; and where opacity is of vertices alone."""
    write_ply(tmp_path / "a.ply", board())
    again = load_mesh(tmp_path / "a.ply", "mm")
    np.testing.assert_array_equal(again.texture, alpha())
    assert share_drawn(again) == 0.5
    bare = replace(board(), uv=None, texture=None, opacity=np.array([0, 0, 2, 2], np.float32))
    write_ply(tmp_path / "b.ply", bare)
    assert share_drawn(load_mesh(tmp_path / "b.ply", "mm")) == 0.5


def test_there_are_no_coarser_levels_of_what_is_cut_out():
    many = quads(np.random.default_rng(0).normal(size=(2000, 4, 3)))
    cut = replace(many, opacity=np.ones(len(many.vertices), np.float32))
    assert make_levels(cut) == []


def test_pyrender_refuses_what_it_cannot_cut_out():
    with pytest.raises(InputError, match="object 3 is cut out by its alpha"):
        PyrenderRenderer({3: board()})


def test_a_material_of_a_spec_colours_what_is_left():
    spec = scene(CAMERA, at([0, 0, 1.0], material=Material(tint=(1.0, 0.5, 0.0))))
    (frame,) = draw({1: board()}, replace(spec, ambient=FULL_AMBIENT))
    assert (frame.rgb[there()] == [255, 128, 0]).all() and not frame.rgb[~there()].any()


def test_a_printed_outline_refuses_what_it_cannot_cut_out():
    info = {"diameter": 1, **{f"{of}_{axis}": 1 for of in ("min", "size") for axis in "xyz"}}
    model = object_model(1, board(), info, "leaf.glb")
    with pytest.raises(InputError, match=r"leaf\.glb: its surface is cut out by alpha"):
        outline(model, np.eye(4))
