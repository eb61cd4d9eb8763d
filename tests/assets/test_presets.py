import numpy as np
import pytest

from render.config import PRESETS, fill, load_preset
from render.draw.renderer import RenderConfig, make_renderer, see
from render.formats.bop_writer import measure
from render.mesh.mesh import load_models
from render.scene.furnishings import all_props
from render.scene.randomize import Randomizer, SceneConfig
from render.sensor.config import SensorConfig

NAMES = sorted(path.stem for path in PRESETS.glob("*.toml"))
OBJECTS = [name for name in NAMES if "scene" in load_preset(name)]


@pytest.fixture(scope="module")
def models():
    return load_models(["assets"])


@pytest.fixture(scope="module")
def renderer(models):
    with_props = make_renderer(models | all_props(), RenderConfig())
    yield with_props
    with_props.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_every_preset_draws_what_a_network_can_learn_from(name, models, renderer):
    sections = load_preset(name)
    scene = fill(SceneConfig, sections["scene"], "scene")
    sensor = fill(SensorConfig, sections.get("sensor", {}), "sensor")
    size = fill(RenderConfig, sections["render"], "render").size
    draw = Randomizer(scene, models, size, seed=0, sensor=sensor)
    specs = [draw.scene(i) for i in range(6)]
    visible = []
    for spec, frame in zip(specs, see(renderer, specs), strict=True):
        masks = renderer.full_masks(spec, canvas=3)
        visible += [a.visib_fract for a in measure(frame, masks).annotations]
        assert (frame.instance > 0).mean() > 0.01
        assert (frame.rgb.max(axis=2) < 8).mean() < 0.3, "black"
        assert (frame.rgb.min(axis=2) > 250).mean() < 0.3, "burnt out"
    assert np.mean(np.array(visible) > 0.1) > 0.85
