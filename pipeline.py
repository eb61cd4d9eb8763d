"""The command line: `python pipeline.py`, or `feature-mapping` where it is installed."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from render import commands as of_render
from render.capture.config import CaptureConfig
from render.command_line import (
    LineFormatter,
    errors_in_one_line,
    open_standard_streams,
    torchrun_rank,
)
from render.draw.renderer import RenderConfig
from render.hand.scene import HandSceneConfig
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from train import commands as of_train
from train import judge_commands as judging
from train.hand_options import HandCropConfig, LocaliserConfig
from train.hands.data import HandDataConfig
from train.objects.data import DataConfig
from train.objects.twins.pair import PairConfig
from train.options import CropConfig, DetectorConfig, ExemplarConfig, RunConfig, TrainConfig
from train.study.config import StudyConfig

SECTIONS: Mapping[str, type] = {
    "run": RunConfig,
    "data": DataConfig,
    "render": RenderConfig,
    "scene": SceneConfig,
    "hand_scene": HandSceneConfig,
    "sensor": SensorConfig,
    "pair": PairConfig,
    "capture": CaptureConfig,
    "crop": CropConfig,
    "hand": HandDataConfig,
    "hand_crop": HandCropConfig,
    "localiser": LocaliserConfig,
    "train": TrainConfig,
    "detector": DetectorConfig,
    "exemplar": ExemplarConfig,
    "study": StudyConfig,
}
GROUPS: Mapping[str, tuple[click.Command, ...]] = {
    "Make data": (
        *(of_render.render, of_train.pair, of_render.capture),
        *(of_render.validate, of_render.view, of_render.convert),
    ),
    "Learn": (of_train.run, of_train.train, of_train.study),
    "Use and judge": (judging.predict, judging.export, judging.evaluate, judging.score),
    "Look up": (of_render.presets, of_render.options, of_train.doctor),
}


class Commands(click.Group):
    """Lists commands by what they are for; an error is one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(str(command.name), command.get_short_help_str(90)) for command in commands]
                )

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with errors_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with errors_in_one_line():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"obj": SECTIONS, "max_content_width": 100})
@click.option("--verbose", is_flag=True, help="Log more.")
def main(verbose: bool) -> None:
    """Synthetic training data from meshes, and a pose network that reads real images with it."""
    open_standard_streams()
    command = click.get_current_context().invoked_subcommand
    if "TORCHELASTIC_RUN_ID" in os.environ and command not in ("train", "run"):
        raise click.UsageError(f"torchrun is for train and run, not for {command}")
    rank = torchrun_rank()
    level = logging.DEBUG if verbose else logging.ERROR if rank else logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    for noisy in ("PIL", "matplotlib", "trimesh", "tensorboard", "OpenGL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


for group in GROUPS.values():
    for member in group:
        main.add_command(member)

if __name__ == "__main__":
    main()
