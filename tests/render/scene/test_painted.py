"""Which things get a texture in place of their own colours."""

from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.image_file import write_png
from render.mesh.mesh import load_models
from render.scene.furnishings import FLOORS, WALLS, WINDOW
from render.scene.painted import NUMBERS, OBJECT_TILE, Painter
from render.scene.props import SOLIDS, TABLES
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Material, Placed, SceneSpec, rows

EYE = rows(np.eye(4))
PROPS = (TABLES[2], SOLIDS[1], FLOORS[0], WALLS[3])


@pytest.fixture(scope="module")
def models():
    return load_models(("assets",))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for i, name in enumerate(("b.png", "a.png", "more/c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / name, np.full((8, 8 + i, 3), 40 * i, np.uint8))
    return folder


def bare(spec: SceneSpec) -> SceneSpec:
    """The spec without its textures."""
    return replace(
        spec,
        objects=tuple(replace(o, material=replace(o.material, texture=None)) for o in spec.objects),
    )


@pytest.mark.parametrize("layout", ["tabletop", pytest.param("pile", marks=pytest.mark.slow)])
def test_textures_change_nothing_else_of_a_scene(models, pictures, layout):
    plain = SceneConfig(layout=layout, surroundings="room", cameras=2)
    painted = replace(plain, textures=str(pictures), object_textures=0.5)
    one, other = (Randomizer(config, models, (64, 48), 3) for config in (plain, painted))
    textures = 0
    for frame_id in (0, 1, 5):
        spec = other.scene(frame_id)
        assert bare(spec) == one.scene(frame_id) == bare(one.scene(frame_id))
        assert SceneSpec.from_json(spec.to_json()) == spec
        textures += sum(o.material.texture is not None for o in spec.objects)
    assert textures


def test_frames_of_one_scene_show_the_same_textures(models):
    config = SceneConfig(layout="pile", cameras=2, object_textures=0.5)
    draw = Randomizer(config, models, (64, 48), 3)
    first, second, another = (
        [o.material.texture for o in draw.scene(i).objects] for i in (0, 1, 2)
    )
    assert first == second != another


def test_objects_get_a_texture_as_often_as_asked_and_props_none_without_pictures(models, rng):
    painter = Painter(SceneConfig(object_textures=0.3), models)
    things = [Placed(1, EYE, Material(gloss=g)) for g in np.linspace(0, 1, 2000)]
    props = [Placed(i, EYE, annotated=False) for i in PROPS]
    painted = painter.paint([*things, *props], rng)
    textures = [o.material.texture for o in painted[: len(things)] if o.material.texture]
    assert abs(len(textures) / len(things) - 0.3) < 0.05
    assert not any(o.material.texture for o in painted[len(things) :])
    sizes = np.array([t.tile for t in textures]) / models[1].diameter
    assert (sizes >= OBJECT_TILE[0]).all() and (sizes <= OBJECT_TILE[1]).all()
    assert np.ptp(sizes) > 0.7 * np.ptp(OBJECT_TILE)
    assert {t.path for t in textures} == {None}
    assert len({(t.kind, t.number) for t in textures}) > 60
    assert max(t.number for t in textures) < NUMBERS


def test_pictures_lie_on_props_but_windows_and_alike_on_walls_of_one_paper(models, pictures, rng):
    painter = Painter(SceneConfig(textures=str(pictures)), models)
    assert [f.relative_to(pictures).as_posix() for f in painter.files] == [
        "a.png",
        "b.png",
        "more/c.png",
    ]
    wall = Placed(WALLS[0], EYE, stretch=(4.0, 0.1, 2.0), annotated=False)
    props = [Placed(i, EYE, annotated=False) for i in PROPS]
    placed = [Placed(1, EYE), *props, Placed(WINDOW, EYE, annotated=False), wall, wall]
    one, *rest, window, left, right = (o.material.texture for o in painter.paint(placed, rng))
    assert one is None and window is None and left == right
    assert {t.path for t in (*rest, left)} <= {str(file) for file in painter.files}
    # Three times along the longest side, or half or twice as often.
    assert 4 / 6 <= left.tile <= 4 / 1.5


def test_a_folder_is_told_by_the_names_and_sizes_of_its_pictures(models, pictures, tmp_path):
    config = SceneConfig(textures=str(pictures))
    first = Painter(config, models).record()
    assert (
        first["textures"].startswith("3 files, ") and Painter(SceneConfig(), models).record() == {}
    )
    moved = pictures.rename(tmp_path / "moved")
    assert Painter(replace(config, textures=str(moved)), models).record() == first
    (moved / "a.png").rename(moved / "d.png")
    assert Painter(replace(config, textures=str(moved)), models).record() != first


def test_a_folder_without_pictures_is_refused(models, tmp_path):
    (tmp_path / "oak.webp").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"^scene\.textures: .* PNG or JPEG .*save oak\.webp as"):
        Painter(SceneConfig(textures=str(tmp_path)), models)
