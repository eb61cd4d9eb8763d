import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from benchmarks.workload import blob
from render.camera import Camera
from render.draw import level_of_detail
from render.draw.decimate import Surface, dress, simplify, weld
from render.draw.level import PIXELS, Level, allowed_error
from render.draw.level_error import level_errors, view_errors
from render.draw.level_of_detail import load_levels, make_levels
from render.draw.rasterizer import Rasterizer
from render.draw.records import make_view
from render.draw.renderer import RenderConfig, make_renderer
from render.mesh.mesh import Mesh, load_models
from render.scene.spec import Light, Placed, SceneSpec, rows
from render.transforms import random_rotation, rigid
from tests.scenes import CAMERA, assert_same_frame, at, draw, scene, square

ARRAYS = [field.name for field in dataclasses.fields(Mesh)]


@pytest.fixture(scope="module")
def bumpy() -> Mesh:
    return blob(12_000)


@pytest.fixture(scope="module")
def levels(bumpy) -> list[Level]:
    with pytest.MonkeyPatch.context() as patch:  # the slow tests take all views
        patch.setattr(level_of_detail, "VIEWS", 20)
        return make_levels(bumpy)


def assert_same_levels(one: Sequence[Level], other: Sequence[Level]):
    for a, b in zip(one, other, strict=True):
        assert (a.error, a.closed) == (b.error, b.closed)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(a.mesh, name), getattr(b.mesh, name))


def disc(radius: float, depth: float = 1.0) -> np.ndarray:
    """(256, 256) depth of a disc around the middle."""
    v, u = np.mgrid[:256, :256] - 127.3
    return np.where(np.hypot(u, v) < radius, depth, 0).astype(np.float32)


@pytest.mark.parametrize("moved", [0.3, 0.5, 0.8])
def test_a_contour_that_moved_everywhere_has_moved_so_far_on_average(moved):
    silhouette, depth, share = view_errors(disc(100), disc(100 + moved), pixel=0.002)
    assert silhouette == pytest.approx(moved * 0.002, rel=0.1)
    assert depth == 0 and 0 < share < 0.02


def test_what_is_missing_counts_by_a_quarter_of_how_far_it_stuck_out():
    whole = disc(60)
    whole[126:129, 180:230] = 1.0  # a rod that ends 41.7 pixels off the disc
    silhouette, _, _ = view_errors(whole, disc(60), pixel=0.002)
    assert silhouette == pytest.approx((229 - 127.3 - 60) / 4 * 0.002, rel=0.03)


@pytest.mark.parametrize("slope", [0.0, 0.5, 2.0])
def test_a_surface_moved_along_its_normal_has_that_depth_error(slope):
    pixel, moved = 0.001, 0.0003
    plane = np.float32(1 + slope * pixel * np.arange(200))[None].repeat(200, axis=0)
    behind = plane + np.float32(moved * np.hypot(1, slope))
    silhouette, depth, _ = view_errors(plane, behind, pixel)
    assert silhouette == 0
    assert depth == pytest.approx(moved, rel=1e-3)


def test_the_error_allowed_is_a_quarter_of_a_pixel_at_the_object():
    K = np.array([[500, 0, 0], [0, 800, 0], [0, 0, 1]])
    assert allowed_error(Camera(K, 64, 48), 2.0) == pytest.approx(0.25 * 2.0 / 800)


def test_levels_get_coarser_and_worse_and_the_first_is_the_closed_mesh_itself(bumpy, levels):
    faces, errors = [len(level.mesh.faces) for level in levels], [level.error for level in levels]
    assert faces[0] == len(bumpy.faces) and errors[0] == 0
    assert faces == sorted(faces, reverse=True) and errors == sorted(errors)
    assert len(levels) >= 3 and all(level.closed for level in levels)


@pytest.mark.slow
def test_making_levels_again_gives_the_same_to_the_bit(bumpy, levels, monkeypatch):
    monkeypatch.setattr(level_of_detail, "VIEWS", 20)
    assert_same_levels(make_levels(bumpy), levels)


def test_the_coarsest_level_within_a_quarter_of_a_pixel_is_drawn_and_no_other(bumpy):
    far = [Level(dataclasses.replace(square(0.08), colors=np.full((4, 3), 9, np.uint8)), 0.001)]
    far.append(dataclasses.replace(far[0], mesh=square(0.05), error=0.002))
    meshes = {1: bumpy, 2: far[0].mesh, 3: far[1].mesh}
    limits = [error * CAMERA.K[1, 1] / PIXELS for error in (0.001, 0.002)]
    with Rasterizer(meshes) as exact, Rasterizer(meshes, levels={1: far}) as chooser:
        nearest = -0.12  # of the blob's box, before its middle
        for limit, below, above in zip(limits, (1, 2), (2, 3), strict=True):
            for factor, obj_id in ((0.97, below), (1.03, above)):
                place = at([0, 0, limit * factor - nearest])
                chosen = chooser.render([scene(CAMERA, place)])[0]
                alone = exact.render([scene(CAMERA, dataclasses.replace(place, obj_id=obj_id))])[0]
                np.testing.assert_array_equal(chosen.instance, alone.instance)


def test_the_full_mask_is_drawn_of_the_level_that_is_seen(bumpy, levels, rng):
    placed = [
        at([*rng.uniform(-0.3, 0.3, 2), z], random_rotation(rng)) for z in (0.4, 0.8, 1.3, 2.0, 3.0)
    ]
    spec = scene(CAMERA, *placed)
    with Rasterizer({1: bumpy}, levels={1: levels}) as rasterizer:
        view = make_view(spec, rasterizer._models.boxes)
        with rasterizer._context:  # into which levels go when they are first drawn
            drawn = set(rasterizer._models.seen(view))
        together = rasterizer.render([spec])[0]
        alone = [rasterizer.render([dataclasses.replace(spec, objects=(p,))])[0] for p in placed]
        masks = rasterizer.full_masks(spec)
    assert len(drawn) >= 3  # several levels
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, alone[i].instance == 1)
        assert not (~mask & (together.instance == i + 1)).any()


@pytest.mark.slow
def test_what_is_open_keeps_the_backs_of_its_faces(bumpy, monkeypatch):
    monkeypatch.setattr(level_of_detail, "VIEWS", 20)
    front = bumpy.vertices[bumpy.faces].mean(axis=1)[:, 2] < 0.03
    bowl = dataclasses.replace(bumpy, faces=bumpy.faces[front])
    made = make_levels(bowl)
    assert made and not any(level.closed for level in made)
    assert all(len(level.mesh.faces) < len(bowl.faces) for level in made)


def test_a_mesh_of_few_faces_has_no_levels():
    assert make_levels(blob(1000)) == []


def test_welding_closes_what_the_file_keeps_apart(bumpy):
    corners = dataclasses.replace(
        bumpy,
        vertices=bumpy.vertices[bumpy.faces].reshape(-1, 3),
        faces=np.arange(bumpy.faces.size, dtype=np.int32).reshape(-1, 3),
    )
    vertices, faces = weld(corners)
    edges, counts = np.unique(
        np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True
    )
    assert (counts == 2).all()
    assert len(vertices) - len(edges) + len(faces) == 2  # Euler's formula for a sphere


def colour_errors(mesh: Mesh, others: Sequence[Mesh], rng) -> np.ndarray:
    """Mean difference of unlit colour within the contour, grey levels of 255, of each other."""
    meshes = dict(enumerate([mesh, *others]))
    with Rasterizer(meshes, antialias=True) as rasterizer:
        differences = []
        for _ in range(12):
            pose = rows(rigid(random_rotation(rng), [0, 0, 1.0]))
            specs = [scene(CAMERA, Placed(i, pose), ambient=(1.0, 1.0, 1.0)) for i in meshes]
            exact, *rest = rasterizer.render(specs)
            inside = cv2.erode((exact.depth > 0).astype(np.uint8), np.ones((3, 3))) > 0
            differences.append(
                [np.abs(f.rgb[inside].astype(int) - exact.rgb[inside]).mean() for f in rest]
            )
    return np.mean(differences, axis=0)


@pytest.mark.parametrize("name", ["vertex colours", "texture"])
def test_colours_survive_decimation_in_a_texture_where_vertices_would_blur_them(bumpy, name, rng):
    mesh = bumpy if name == "vertex colours" else load_models(["assets"], obj_ids=[2])[2].mesh
    surface = Surface(mesh)
    coarse = simplify(*weld(mesh), 2000)
    baked = dress(surface, *coarse, blur=0.0005)
    near = np.zeros_like(coarse[0])  # at a vertex any face's side will do
    _, colors = surface.look_up(coarse[0], near)
    blurred = dataclasses.replace(
        mesh,
        vertices=coarse[0].astype(np.float32),
        faces=coarse[1].astype(np.int32),
        normals=np.tile(np.float32([0, 0, 1]), (len(colors), 1)),
        colors=colors,
        uv=None,
        texture=None,
    )
    in_texture, at_vertices = colour_errors(mesh, [baked, blurred], rng)
    print(f"{name}: {in_texture:.2f} grey levels off with a texture, {at_vertices:.2f} without")
    assert in_texture < 0.5 * at_vertices


def test_a_mesh_of_one_colour_keeps_it_without_a_texture(bumpy):
    plain = dataclasses.replace(bumpy, colors=np.full_like(bumpy.colors, (9, 80, 200)))
    coarse = dress(Surface(plain), *simplify(*weld(plain), 2000), blur=0.001)
    assert coarse.texture is None and (coarse.colors == (9, 80, 200)).all()


def test_shading_is_that_of_the_fine_normals(bumpy):
    coarse = dress(Surface(bumpy), *simplify(*weld(bumpy), 4000), blur=0.001)
    exact = coarse.vertices / np.linalg.norm(coarse.vertices, axis=1, keepdims=True)
    angles_deg = np.degrees(np.arccos(np.clip((coarse.normals * exact).sum(axis=1), -1, 1)))
    assert np.percentile(angles_deg, 99) < 3  # the blob's given normals point straight out


def test_levels_are_made_once_and_found_again(bumpy, levels, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []
    monkeypatch.setattr(level_of_detail, "make_levels", lambda mesh: made.append(mesh) or levels)
    assert_same_levels(load_levels({7: bumpy})[7], levels)
    assert_same_levels(load_levels({8: bumpy})[8], levels)
    assert len(made) == 1
    other = dataclasses.replace(bumpy, colors=bumpy.colors[::-1].copy())
    load_levels({7: other})
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    bumpy, levels, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(level_of_detail, "make_levels", lambda mesh: levels)
    assert_same_levels(load_levels({1: bumpy})[1], levels)
    message = "file/feature-mapping/levels: cannot keep levels of detail here (Not a directory)"
    assert message in caplog.text and "XDG_CACHE_HOME" in caplog.text


def spoiled(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of a file of levels, each time with another fault."""
    infinite = arrays["0_vertices"].copy()
    infinite[0] = np.inf
    return {
        "no such array": {k: v for k, v in arrays.items() if k != "1_faces"},
        "fewer": {**arrays, "errors": arrays["errors"][1:]},
        "another type": {**arrays, "0_colors": arrays["0_colors"].astype(np.float64)},
        "another shape": {**arrays, "0_normals": arrays["0_normals"][1:]},
        "no such vertex": {**arrays, "0_faces": arrays["0_faces"] + 1},
        "infinite": {**arrays, "0_vertices": infinite},
        "pickled": {**arrays, "0_faces": arrays["0_faces"].astype(object)},
    }


def test_a_damaged_file_in_the_cache_is_made_again(bumpy, levels, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []
    monkeypatch.setattr(level_of_detail, "make_levels", lambda mesh: made.append(mesh) or levels)
    load_levels({1: bumpy})
    (file,) = tmp_path.glob("feature-mapping/levels/*")
    whole = file.read_bytes()
    with np.load(file) as archive:
        faults = spoiled(dict(archive))
    contents = {"empty": b"", "cut": whole[:100], "garbage": bytes(range(256)) * 9}
    for name, arrays in faults.items():
        np.savez(file, **arrays)
        contents[name] = file.read_bytes()
    for count, (name, content) in enumerate(contents.items(), start=2):
        file.write_bytes(content)
        caplog.clear()
        assert_same_levels(load_levels({1: bumpy})[1], levels)
        assert len(made) == count and file.read_bytes() == whole, name
        assert f"{file}: cannot be used (" in caplog.text
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_exact_draws_every_face_and_the_default_spares_some(rng):
    models = load_models(["assets"], obj_ids=[2])
    specs = [scene(CAMERA, at([0, 0, z], random_rotation(rng), obj_id=2)) for z in (0.2, 3.0)]
    frames = {}
    for name, config in (("exact", RenderConfig(exact=True)), ("default", RenderConfig())):
        renderer = make_renderer(models, config)
        frames[name] = renderer.render(specs)
        renderer.close()
    for spec, frame in zip(specs, frames["exact"], strict=True):
        assert_same_frame(frame, draw({2: models[2].mesh}, spec)[0])
    near, far = ((a.depth != b.depth).sum() for a, b in zip(*frames.values(), strict=True))
    assert far > 100 * max(near, 1)  # near by only the backs are left out


def check_promise(mesh: Mesh, rng, views: int = 15, times: int = 8):
    """Draw levels where they are just allowed, `times` as large, beside the exact mesh."""
    center = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)).astype(np.float64) / 2
    radius = np.linalg.norm(mesh.vertices - center, axis=1).max()
    light = (Light("directional", (0.0, 0.6, -0.8)),)
    for level in load_levels({1: mesh})[1][1:]:
        distance = 8 * radius
        # In pixels of the image in which the level is drawn: what is `times` as large has these.
        focal = PIXELS * (distance - radius) / level.error
        side = int(2.2 * times * focal * radius / distance) + 1
        if side > 4096:
            continue
        K = rows(np.array([[times * focal, 0, side / 2], [0, times * focal, side / 2], [0, 0, 1]]))
        pixel, errors = distance / (times * focal), []
        with Rasterizer({1: mesh}) as exact, Rasterizer({1: level.mesh}) as coarse:
            for _ in range(views):
                R = random_rotation(rng)
                placed = Placed(1, rows(rigid(R, [0, 0, distance] - R @ center)))
                spec = SceneSpec(K, (side, side), (placed,), lights=light)
                a, b = (np.asarray(r.render([spec])[0].depth) for r in (exact, coarse))
                errors.append(view_errors(a, b, pixel)[:2])
        silhouette, depth = np.max(errors, axis=0) / (times * pixel)
        print(f"{len(level.mesh.faces)} faces: {silhouette:.3f} and {depth:.3f} pixels off")
        assert max(silhouette, depth) < PIXELS


@pytest.mark.slow
@pytest.mark.parametrize("obj_id", [1, 2, 3])
def test_other_views_keep_the_promise_of_a_quarter_pixel(obj_id, rng):
    check_promise(load_models(["assets"], obj_ids=[obj_id])[obj_id].mesh, rng)


@pytest.mark.slow
def test_other_views_of_a_linemod_mesh_keep_the_promise(lmo, rng):
    check_promise(load_models([lmo / "models"], obj_ids=[5])[5].mesh, rng)


@pytest.mark.slow
def test_errors_of_levels_are_those_of_the_worst_view(bumpy, levels):
    few = level_errors(bumpy, levels[1:], views=5, seed=3)
    more = level_errors(bumpy, levels[1:], views=15, seed=3)
    assert (more >= few).all() and (more > few).any()
