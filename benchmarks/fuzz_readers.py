"""Every reader of files that there is, with valid files for it to be damaged."""

from pathlib import Path

from benchmarks import fuzz_datasets as datasets
from benchmarks import fuzz_hands as hands
from benchmarks import fuzz_seeds as seeds
from benchmarks.fuzz_reading import Reader
from render.config import resolve
from render.dataset.backgrounds import read_list
from render.dataset.folder import check_machine, is_begun
from render.dataset.replay import replay_frame
from render.formats import bop, nyu, nyu_dataset
from render.formats.bop_results import read_detections, read_results
from render.formats.bop_targets import read_targets
from render.formats.camera_file import read_camera_file
from render.formats.plain_pickle import read_plain_pickle
from render.formats.webdataset import write_key_to_shard
from render.hand.file import load_hand
from render.hand.fits import read_gestures
from render.image_file import image_size, read_gray16, read_mask, read_rgb, read_rgb16
from render.mesh.mesh import load_mesh, load_models
from render.scene.contact import dataset_contact
from render.show.contact_sheet import contact_sheet
from render.validate.validate import survey, validate

DS = Path("ds")


def read_mesh(file: Path) -> object:
    return load_mesh(file, "m")


def read_mesh_beside(folder: Path) -> object:
    """The mesh that names what was damaged."""
    return load_mesh(next(folder.glob("a.[og]*")), "m")


def read_models(folder: Path) -> object:
    return load_models([folder], "mm")


def read_bop(folder: Path) -> object:
    """All that training and evaluation read."""
    return [
        (image.read_rgb(), image.read_depth(), image.read_normals(), image.read_nocs())
        + tuple(image.read_mask(i, visible=True) for i in range(len(image.annotations)))
        for image in bop.read_split(folder / DS, "train")
    ]


def read_crops(folder: Path) -> object:
    from train.objects.data import load_synthetic

    model = load_models([folder / DS / "models"], "mm", [1])[1]
    return load_synthetic(folder / DS, model, 0.1)


def validate_files(folder: Path) -> object:
    """As the command does, after all faults are found."""
    survey(folder / DS, None, render=False)
    return validate(folder / DS, None, render=False) or dataset_contact(folder / DS, None)


def validate_drawn(folder: Path) -> object:
    return validate(folder / DS, None)


def view(folder: Path) -> object:
    return contact_sheet(folder / DS, None, 2)


def replay(folder: Path) -> None:
    replay_frame(folder / DS / "train/000000/rgb/000001.png", folder / "out.png")


def read_generation(folder: Path) -> None:
    is_begun(folder / DS, {})
    check_machine(folder / DS, "another")


def read_split_file(file: Path) -> object:
    from train.objects.data import DataConfig
    from train.objects.split import choose_images

    return choose_images(DataConfig(split_file=str(file)), file.parent, "test", 0)


def read_boxes(file: Path) -> object:
    return read_detections(file, {(0, i): (64, 48) for i in range(3)})


def read_config(file: Path) -> object:
    from pipeline import SECTIONS

    return resolve(SECTIONS, None, file, [], {})


def read_nyu_split(folder: Path) -> object:
    split = nyu_dataset.read_split(folder, "train")
    return [split.joints, *(split.read_depth(i) for i in range(len(split.numbers)))]


def join_nyu_shards(folder: Path) -> None:
    before = {path: path.read_bytes() for path in (folder / "train").iterdir()}
    try:
        nyu_dataset.finish_split(folder / "train", 2)
    finally:
        for path in (folder / "train").iterdir():
            path.unlink()
        for path, content in before.items():
            path.write_bytes(content)


def read_fits(folder: Path) -> object:
    return read_gestures(folder, load_hand("bundled"))


def read_weights(file: Path) -> object:
    """Of train.init, which may come from anywhere and be older than torch 1.6."""
    from train.learn.torch_file import read_torch

    return read_torch(file, old=True)


def read_checkpoint(file: Path) -> object:
    from train.learn.checkpoint import Checkpoint

    return Checkpoint.load_finished(file)


def read_shard_keys(folder: Path) -> None:
    write_key_to_shard(folder / DS / "train", 1)


def read_picture(file: Path) -> object:
    from train.report.pictures import read_picture

    return read_picture(file, "", "")


READERS = (
    Reader("rgb", seeds.make_rgb, "*", read_rgb),
    Reader("photo", seeds.make_photo, "*", read_rgb),
    Reader("image_size", seeds.make_photo, "*", image_size),
    Reader("other_formats", seeds.make_other_formats, "*", read_rgb, intact=False),
    Reader("gray16", seeds.make_gray16, "*", read_gray16),
    Reader("mask", seeds.make_mask, "*", read_mask),
    Reader("rgb16", seeds.make_rgb16, "*", read_rgb16),
    Reader("ply", seeds.make_ply, "*.ply", read_mesh),
    Reader("obj", seeds.make_obj, "*.obj", read_mesh),
    Reader("mtl", seeds.make_obj, "*.mtl", read_mesh_beside, whole=True),
    Reader("texture", seeds.make_obj, "*.png", read_mesh_beside, whole=True),
    Reader("stl", seeds.make_stl, "*", read_mesh),
    Reader("off", seeds.make_off, "*", read_mesh),
    Reader("glb", seeds.make_glb, "*", read_mesh),
    Reader("gltf", seeds.make_gltf, "*.gltf", read_mesh),
    Reader("gltf_buffer", seeds.make_gltf, "*.[bp][in][ng]", read_mesh_beside, whole=True),
    Reader("models_info", seeds.make_models, "*.json", read_models, whole=True),
    Reader("camera", seeds.make_cameras, "*", read_camera_file),
    Reader("bop", datasets.make_dataset, "ds/**/*", read_bop, whole=True),
    Reader("bop_records", datasets.make_dataset, "ds/**/scene_*.json", read_crops, whole=True),
    Reader("validate", datasets.make_dataset, "ds/**/*", validate_files, whole=True),
    Reader("validate_json", datasets.make_dataset, "ds/**/*.json", validate_files, whole=True),
    Reader("validate_drawn", datasets.make_dataset, "ds/**/*", validate_drawn, whole=True),
    Reader("validate_hand", datasets.make_with_hand, "ds/**/*.json", validate_drawn, whole=True),
    Reader("view", datasets.make_dataset, "ds/**/*", view, whole=True),
    Reader("validate_shards", datasets.make_shards, "ds/train/*", validate_files, whole=True),
    Reader("view_shards", datasets.make_shards, "ds/train/*.tar", view, whole=True),
    Reader("validate_nyu", hands.make_rendered, "ds/train/*", validate_files, whole=True),
    Reader("view_nyu", hands.make_rendered, "ds/train/*", view, whole=True),
    Reader("replay", datasets.make_dataset, "ds/**/scene_spec.json", replay, whole=True),
    Reader("generation", datasets.make_dataset, "ds/generation.json", read_generation, True, False),
    Reader("backgrounds", datasets.make_backgrounds, "*", read_list, whole=True),
    Reader("split_file", datasets.make_split_file, "*", read_split_file),
    Reader("detections", datasets.make_detections, "*", read_boxes),
    Reader("targets", datasets.make_targets, "*", read_targets),
    Reader("results", datasets.make_results, "*", read_results),
    Reader("config", datasets.make_config, "*", read_config),
    Reader("nyu_depth", hands.make_nyu_depth, "*", nyu.read_depth),
    Reader("joint_data", hands.make_joint_data, "*", nyu_dataset.read_joint_data),
    Reader("joints", hands.make_joints, "*", nyu.read_joints),
    Reader("nyu", hands.make_nyu_split, "train/*", read_nyu_split, whole=True),
    Reader("nyu_shards", hands.make_nyu_shards, "train/.*", join_nyu_shards, whole=True),
    Reader("pickle", hands.make_pickle, "*", read_plain_pickle),
    Reader("mano", hands.make_mano, "*", load_hand),
    Reader("hand_npz", hands.make_hand_npz, "*", load_hand),
    Reader("hand_glb", hands.make_hand_glb, "*", load_hand),
    Reader("fits", hands.make_fits, "fits/*", read_fits, whole=True),
    Reader("checkpoint", datasets.make_checkpoint, "*", read_checkpoint),
    Reader("weights", datasets.make_weights, "*", read_weights),
    Reader("shards", datasets.make_shards, "ds/train/*.tar", read_shard_keys, whole=True),
    Reader("levels", datasets.make_levels, "cache/**/*.npz", datasets.read_levels, whole=True),
    Reader("picture", datasets.make_pictures, "*", read_picture),
)
