"""What `render` would pass over of its settings; see `render.unused`."""

from collections.abc import Mapping
from typing import Any

from render.unused import Unused, When, all_but, lacks


def _layout(*names: str) -> When:
    return lambda config, _: config["scene"].layout not in names


_HEAPS = _layout("pile", "bin")


def _kinds(*names: str) -> When:
    return lambda config, _: not set(names) & set(config["scene"].light_kinds)


def _views(config: Mapping[str, Any]) -> bool:
    """Whether poses say which sides of objects are seen."""
    run = config.get("run")
    return bool(config["scene"].views or (run is not None and run.real_views))


def _is_cluttered(scene: Any) -> bool:
    """Whether anything stands beside, before or behind objects."""
    if scene.layout in ("pile", "bin"):
        return bool(scene.clutter_per_frame[1])
    if scene.layout == "tabletop":
        return bool(scene.occluder_chance or scene.clutter_per_frame[1])
    return bool(scene.occluder_chance or scene.distractor_chance)


def _has_solids(scene: Any) -> bool:
    """Whether tables, rooms or plain solids may be seen; in crops, those of one mesh."""
    return scene.layout in ("tabletop", "pile", "bin") or (
        scene.layout == "crop" and _is_cluttered(scene)
    )


def _depth(name: str) -> When:
    return lambda config, _: config["sensor"].depth != name


COLOR = "gain white_balance gamma blur_px noise motion_px full_well_e read_noise_e bayer"
COLOR = " ".join(f"sensor.{name}" for name in (*COLOR.split(), "jpeg_quality"))
LENS = "sensor.k1 sensor.k2 sensor.p1 sensor.p2 sensor.k3"
LIGHT = "lights ambient light light_color light_kinds light_distance spot_deg shadow_chance"
LIGHT += " lamp_size tint tint_spread gloss shininess environment environments roughness"
LIGHT += " metallic_chance"
LIGHT = " ".join(f"scene.{name}" for name in LIGHT.split())

# What only some kinds of scenes, lights and cameras have.
OF_KINDS = (
    Unused(
        "scene.spread scene.upright_chance",
        "belongs to scene.layout=tabletop",
        _layout("tabletop"),
    ),
    Unused(
        "scene.clutter_per_frame scene.table",
        "belongs to scene.layout tabletop, pile or bin",
        _layout("tabletop", "pile", "bin"),
    ),
    Unused(
        "scene.cameras scene.surroundings scene.path",
        "belongs to scene.layout pile or bin",
        _HEAPS,
    ),
    Unused(
        "scene.baseline",
        "belongs to full frames; scene.layout=crop is cut for one camera",
        lambda c, _: c["scene"].layout == "crop",
    ),
    Unused(
        "scene.path_deg",
        "belongs to scene.path; set that, too",
        lambda c, _: c["scene"].path == "none",
    ),
    Unused(
        "scene.background",
        "has no effect with scene.surroundings=room, whose walls hide it; leave one of them",
        lambda c, a: not _HEAPS(c, a) and c["scene"].surroundings == "room",
    ),
    Unused(
        "scene.objects_per_frame",
        "belongs to scene.layout tabletop, upright, pile or bin; crop shows one object",
        _layout("tabletop", "upright", "pile", "bin"),
    ),
    Unused(
        "scene.occluder_chance",
        "belongs to scene.layout tabletop or crop",
        _layout("tabletop", "crop"),
    ),
    Unused("scene.distractor_chance", "belongs to scene.layout=crop", _layout("crop")),
    Unused(
        "scene.distractors",
        "belongs to scene.layout tabletop, crop, pile or bin",
        _layout("tabletop", "crop", "pile", "bin"),
    ),
    Unused(
        "scene.distractors",
        "has no effect where nothing stands about; set occluder_chance or clutter_per_frame, too",
        lambda c, _: not _is_cluttered(c["scene"]),
    ),
    Unused(
        "scene.textures",
        "has no effect where no solid stands about; set scene.object_textures, or in"
        " scene.layout=crop occluder_chance or distractor_chance, too",
        lambda c, _: not (c["scene"].object_textures or _has_solids(c["scene"])),
    ),
    Unused(
        "scene.table",
        "has no effect with scene.textures, whose pictures lie on it; leave one of them",
        lambda c, _: bool(c["scene"].textures),
    ),
    Unused("scene.views", "belongs to scene.layout=crop", _layout("crop")),
    Unused(
        "scene.views_deg",
        "belongs to scene.views, or in `run` to run.real_views; set that, too",
        lambda c, _: not _views(c),
    ),
    Unused(
        "scene.elevation_deg scene.inplane_deg",
        "has no effect with scene.views or run.real_views, which say it; leave one of them",
        lambda c, _: c["scene"].layout == "crop" and _views(c),
    ),
    Unused(
        "scene.zoom",
        "has no effect on full frames with a scene.distance, but where objects would reach the"
        " camera; leave one of them",
        lambda c, a: not _layout("tabletop", "upright")(c, a) and c["scene"].distance is not None,
    ),
    Unused(
        "scene.zoom",
        "has no effect in pile and bin with a scene.distance; leave one of them",
        lambda c, a: not _HEAPS(c, a) and c["scene"].distance is not None,
    ),
    Unused(
        "scene.light_distance",
        "belongs to scene.light_kinds point or spot",
        _kinds("point", "spot"),
    ),
    Unused(
        "scene.lamp_size",
        "belongs to scene.shadow_chance, which is 0; set that, too",
        lacks("scene.shadow_chance"),
    ),
    Unused("scene.spot_deg", "belongs to scene.light_kinds=spot", _kinds("spot")),
    Unused(
        "scene.roughness scene.metallic_chance",
        "belongs to scene.environment; set that, too",
        lambda c, _: c["scene"].environment == "none",
    ),
    Unused(
        "scene.environments",
        "belongs to scene.environment any, studio, room or sky",
        lambda c, _: c["scene"].environment not in ("any", "studio", "room", "sky"),
    ),
    Unused(
        "scene.gloss scene.shininess",
        "has no effect with scene.environment, where scene.roughness says it; leave one of them",
        lambda c, _: c["scene"].environment != "none",
    ),
    Unused(
        COLOR,
        "has no effect with sensor.color=perfect; leave one of them",
        lambda c, _: c["sensor"].color == "perfect",
    ),
    Unused(
        LENS,
        "belongs to full frames; scene.layout=crop shows none",
        lambda c, _: c["scene"].layout == "crop",
    ),
    Unused(
        "sensor.read_noise_e",
        "is counted in electrons of sensor.full_well_e; set that, too",
        lambda c, _: not c["sensor"].full_well_e[1],
    ),
    Unused(
        "sensor.baseline sensor.disparity_step_px sensor.disparity_noise_px sensor.lateral_px"
        " sensor.grain_px sensor.shadows sensor.grazing_deg",
        "belongs to sensor.depth=structured-light",
        _depth("structured-light"),
    ),
    Unused(
        "sensor.distance_noise sensor.ambient sensor.least_amplitude sensor.mixing_px",
        "belongs to sensor.depth=time-of-flight",
        _depth("time-of-flight"),
    ),
    Unused(
        "sensor.depth_focal_px",
        "belongs to sensor.depth structured-light or time-of-flight",
        lambda c, _: c["sensor"].depth == "perfect",
    ),
)


AROUND = "hand_scene.forearm_chance hand_scene.body_chance hand_scene.wall_chance"
AROUND += " hand_scene.second_chance"


def of_hands(alone: When) -> tuple[Unused, ...]:
    """What only hands have, and what they lack; `alone`: before a depth camera, in NYU's layout."""

    def among(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        return not alone(config, arguments)

    return (
        Unused(
            "hand_scene.*",
            "belongs to hands; add --hand bundled, or another hand",
            lambda c, _: not c["render"].hand,
        ),
        Unused("scene.*", "belongs to objects; hands alone have hand_scene", alone),
        Unused(
            f"sensor.color {COLOR} {LENS}", "has no effect on hands alone, seen in depth", alone
        ),
        Unused(
            f"hand_scene.distance hand_scene.place hand_scene.joints hand_scene.images {AROUND}",
            "belongs to --format nyu, a hand alone; among objects it has no effect",
            among,
        ),
        Unused(
            f"sensor.* {AROUND}",
            "has no effect with hand_scene.images=alone, without a sensor; leave one of them",
            lambda c, a: alone(c, a) and c["hand_scene"].images == "alone",
        ),
        Unused(
            "hand_scene.bend hand_scene.tilt_deg hand_scene.twist_deg",
            "has no effect with hand_scene.poses, which bends the hand; leave one of them",
            lambda c, a: (
                c["hand_scene"].poses and (among(c, a) or not c["hand_scene"].second_chance)
            ),
        ),
    )


RENDER = (
    all_but("render scene hand_scene sensor", "render"),
    Unused(
        "*",
        "has no effect with --replay, which draws a frame as its dataset says; leave it",
        lambda _, a: a["replay"],
    ),
    Unused(
        "render.flow",
        "belongs to films; set scene.path, too",
        lambda c, _: c["scene"].path == "none",
    ),
    Unused(
        "render.val render.names",
        "belongs to objects; --format nyu has hands",
        lambda config, _: config["render"].format == "nyu",
    ),
    *of_hands(lambda config, _: config["render"].format == "nyu"),
    *OF_KINDS,
)
