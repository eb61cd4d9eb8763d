"""The real training frames as what stands behind synthetic objects."""

from dataclasses import replace
from pathlib import Path

from render.formats.bop import read_split
from render.scene.randomize import SceneConfig
from render.whole_file import whole_folder
from train.objects.data import DataConfig, choose_images


def before_real_frames(
    scene: SceneConfig, data: DataConfig, root: Path, folder: Path, seed: int
) -> SceneConfig:
    """The scene, in front of random parts of the frames that `data` says to train on.

    They are linked in `folder`, whole, objects and all; one that is there already is left.
    """
    if not folder.is_dir():
        with whole_folder(folder) as links:
            for image in read_split(root, data.split, choose_images(data, root, "train", seed)):
                file = image.rgb_path.resolve()
                name = f"{image.scene_id:06d}_{image.im_id:06d}{file.suffix}"
                (links / name).symlink_to(file)
    return replace(scene, background=str(folder.resolve()))
