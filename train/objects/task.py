"""Objects in BOP's colour images, as `run`, `train` and `study` ask for them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch

from render.mesh.mesh import ObjectModel, load_models
from render.mesh.names import ids_of, names_in, title_of
from train.learn.batches import Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.distributed import first_alone
from train.learn.rounds import Pairs
from train.learn.stream import Live
from train.learn.task import Fold, Folders, Found, Material, Record
from train.objects.data import DataConfig, Instance, find_dataset, load_synthetic, with_ids
from train.objects.detect.stage import DETECTIONS, prepare_detector
from train.objects.evaluate import TestSet, evaluate_method, measured_model, passes, test_sets
from train.objects.inputs import (
    check_folders,
    load_inputs,
    object_crops,
    object_target,
    real_instances,
    twins_in,
)
from train.objects.read.eye import leave_lens
from train.objects.refine.file import leave_refiner, read_refiner
from train.objects.refine.refiner import Refiner, open_refiner
from train.objects.report import contact_sheet, extreme_sheet, test_sheet
from train.objects.results import (
    Outcome,
    metrics_of,
    names_of,
    record_of,
    results,
    write_estimates,
    write_results,
)
from train.objects.seen import training_marks
from train.objects.sources import (
    check_frames,
    check_meshes,
    check_run,
    live_images,
    prepare,
    require_same_models,
    simulate,
)
from train.objects.split import SPLIT, choose_images, write_split
from train.objects.symmetry import load_object, with_symmetries
from train.objects.unlabelled.frames import unlabelled_images
from train.objects.unlabelled.stage import Place, find_in_frames, label_frames
from train.options import COMPOSITION, DETECTOR

HELD_OUT = "held-out SYNTHETIC frames; how real ones are read was not tested"
EXAMPLES = 8  # of live synthetic images, in the sheet of pairs


@dataclass(frozen=True)
class ObjectTask:
    """`task.Task` of the objects of a BOP dataset."""

    config: Mapping[str, Any]
    out: Path
    seed: int
    workers: int = 1

    measure: ClassVar[str] = "corner_px"
    shown: ClassVar[str] = "these objects"

    def with_sources(self) -> "ObjectTask":
        data: DataConfig = self.config["data"]
        run, render = self.config["run"], self.config["render"]
        check_run(run, self.config["scene"], render)
        if run.rendered:
            with first_alone():
                folder, split = simulate(run, render, self.out, self.seed, self.workers)
            data = replace(data, dataset=str(folder))
            if run.held_out:
                data = replace(data, split=split, split_file="", train_fraction=0.0)
        root = find_dataset(data.dataset)
        task = replace(self, config={**self.config, "data": with_ids(data, root)})
        obj_ids, meshes = [int(subject) for subject in task.subjects], self.config["pair"].models
        check_meshes(render, task.root, obj_ids)
        check_frames(data, task.root, obj_ids, self.seed, meshes, run.parts)
        if run.has_unlabelled:
            with first_alone():
                unlabelled_images(task.config["data"], task.root, self.out, self.seed)
        return task

    @cached_property
    def root(self) -> Path:
        return find_dataset(self.config["data"].dataset)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        wanted = self.config["data"].obj_ids or load_models([self.root / "models"])
        return tuple(str(obj_id) for obj_id in wanted)

    @cached_property
    def names(self) -> dict[int, str]:
        """What the dataset's objects are called, by id; empty where one has a number alone."""
        return names_in(self.root / "models")

    def chosen_on(self, objects: Sequence[int | str]) -> tuple[str, ...]:
        wanted = ids_of(objects, self.names, "study.tune_objects")
        return tuple(map(str, wanted)) or self.subjects

    def title(self, subject: str) -> str:
        return title_of(int(subject), self.names.get(int(subject), ""))

    def titles(self, subjects: Sequence[str]) -> str:
        return f"objects {', '.join(self.names.get(int(s)) or s for s in subjects)}"

    def condition(self, visib: float) -> str | None:
        return f"visib_fract >= {visib:g}"

    def visibs(self, wanted: tuple[float, ...]) -> tuple[float, ...]:
        return wanted

    def folder(self, subject: str) -> Path:
        return self.out / f"obj_{int(subject):06d}"

    study_folder = folder

    def count_frames(self) -> int:
        return len(choose_images(self.config["data"], self.root, "train", self.seed))

    def prepare(self, subject: str, device: torch.device) -> None:
        config = self._config(subject)
        with first_alone():
            model, folder = self._model(subject)[0], self.folder(subject)
            prepare(config, self.root, model, folder, self.seed, self.workers)
            if config["run"].detect or config["run"].has_unlabelled:
                prepare_detector(config, self.root, model, folder, self.seed, self.workers, device)

    def load(self, subject: str, device: torch.device) -> "ObjectSubject":
        return ObjectSubject(self, subject)

    def material(self, method: str, folders: Folders, device: torch.device) -> Material:
        data: DataConfig = self.config["data"]
        real_share, twin_share, synthetic_share = COMPOSITION[method]
        check_folders(self.config, method, folders)
        synthetic, seed = folders.synthetic, self.seed
        root = self.root if synthetic is None or real_share else synthetic
        data = with_ids(data, root)
        model, _ = load_object(data, root, data.obj_ids[0], self.out)
        inputs = Inputs(object_crops(self.config, model))
        if real_share:
            inputs = replace(inputs, real=real_instances(data, root, model, seed))
        if twin_share and folders.twins is not None:
            inputs = replace(inputs, twins=twins_in(folders.twins, inputs.real))
        if synthetic_share and self.config["run"].live:
            check_meshes(self.config["render"], root, data.obj_ids)
            live = live_images(self.config, root, model, self.out, seed)
            inputs = replace(inputs, synthetic=live)
        elif synthetic_share and synthetic is not None:
            require_same_models(synthetic, model)
            inputs = replace(inputs, synthetic=load_synthetic(synthetic, model, data.min_visib))
        # Which real frames the synthetic images alone show, if any, nobody says.
        unsaid = None if self._around else ()
        frames = training_marks(data, root, seed) if real_share else unsaid
        crop, target = self.config["crop"], object_target(model, inputs)
        return Material(inputs, target, crop, frames, self._around)

    def metrics(self, record: Record, visib: float) -> dict[str, Any] | None:
        return metrics_of(record, visib)

    def write(self, found: Found, device: torch.device) -> str:
        data = self.config["data"]
        measured = {int(i): measured_model(self.root, int(i)) for i in found}
        outcomes = [o for of_one in found.values() for method in of_one.values() for o in method]
        methods = list(dict.fromkeys(o.method for o in outcomes))
        run, about = self.config["run"], {"dataset": data.dataset, "seed": self.seed}
        frames = [len(choose_images(data, self.root, part, self.seed)) for part in run.parts]
        heading = f"{self.root}: {frames[0]} {run.kind} frames to train on, {frames[-1]} to test on"
        if run.held_out:
            about |= {"tested_on": HELD_OUT}
            heading = f"{self.root}: no real frame to train on, {frames[0]} to test on: {HELD_OUT}"
        about |= {"methods": methods, **names_of(measured.values())}
        return write_results(results(outcomes, measured, methods), about, heading, self.out)

    @property
    def _around(self) -> bool:
        """Whether synthetic images show backgrounds or sides of the real training frames."""
        run = self.config["run"]
        return bool(run.real_background or run.real_views)

    def _config(self, subject: str) -> dict[str, Any]:
        return {**self.config, "data": replace(self.config["data"], objects=(int(subject),))}

    def _model(self, subject: str) -> tuple[ObjectModel, dict[str, Any] | None]:
        data, folder = self.config["data"], self.folder(subject)
        return load_object(data, self.root, int(subject), folder)


class ObjectSubject:
    """`task.Subject` of one object, after `ObjectTask.prepare`."""

    def __init__(self, task: ObjectTask, subject: str) -> None:
        self.config, self.root, self.seed = task._config(subject), task.root, task.seed
        self.out, self.folder = task.out, task.folder(subject)
        self._place = Place(self.config, self.root, self.out, self.folder, self.seed)
        self.data: DataConfig = self.config["data"]
        self.model, proposed = task._model(subject)
        measured = measured_model(self.root, self.model.obj_id)
        self.measured = with_symmetries(measured, self.data, proposed)
        found = self.folder / DETECTOR / DETECTIONS
        self.detections = found if self.config["run"].detect else None
        inputs = load_inputs(self.config, self.root, self.model, self.folder, self.seed)
        target = object_target(self.model, inputs)
        held_out = self.config["run"].held_out
        frames = () if held_out else training_marks(self.data, self.root, self.seed)
        self.material = Material(inputs, target, self.config["crop"], frames, task._around)
        self.frames: list[Any] = [instance.key[:2] for instance in inputs.real]

    @cached_property
    def tests(self) -> list[TestSet]:
        return test_sets(self.data, self.root, self.model, self.seed, self.detections)

    @property
    def test_samples(self) -> Sequence[Instance]:
        return self.tests[0].instances

    def kept(self, fold: Fold) -> set[Any]:
        return set(choose_images(self._held_out(fold), self.root, "train", self.seed))

    def label(
        self, checkpoint: Checkpoint, frames: Collection[Any], folder: Path, device: torch.device
    ) -> Pairs:
        real = [i for i in self.material.inputs.real if i.key[:2] in frames]
        at = self._place
        return label_frames(at, self.model, self.measured, real, checkpoint, folder, device)

    def unlabelled(self, device: torch.device) -> Unlabelled:
        return find_in_frames(self._place, self.model, device)

    def test(self, checkpoint: Checkpoint, device: torch.device, fold: Fold | None) -> Record:
        tests, data = self.tests, self.data
        if fold is not None:
            data = self._held_out(fold)
            tests = test_sets(data, self.root, self.model, self.seed)
        with self._refiner(data) as refiner:
            outcomes, _ = evaluate_method(
                checkpoint, checkpoint.method, tests[:1], self.measured, device, self.seed, refiner
            )
        return record_of(outcomes, self.measured.diameter)

    def evaluate(
        self, checkpoint: Checkpoint, method: str, device: torch.device, folder: Path
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with read_refiner(folder.parent, self.model.obj_id) as refiner:
            for row, used in passes(method, refiner).items():
                found, estimates = evaluate_method(
                    checkpoint, row, self.tests, self.measured, device, self.seed, used
                )
                write_estimates(folder, row, self.data, estimates)
                outcomes += found
        return outcomes

    def show_pairs(self, folder: Path) -> None:
        write_split(self.data, self.root, self.seed, folder / SPLIT)
        inputs, crop = self.material.inputs, self.config["crop"]
        if isinstance(synthetic := inputs.synthetic, Live):
            synthetic = synthetic.examples(EXAMPLES, self.seed)
        kind = self.config["run"].kind
        contact_sheet(inputs.real, inputs.twins, synthetic, crop, folder / "pairs.png", kind)
        with self._refiner(self.data) as refiner:
            leave_refiner(refiner, folder)
        scenes = sorted({instance.key[0] for instance in inputs.real})
        split = self.root / self.data.split
        leave_lens((split / f"{scene_id:06d}" for scene_id in scenes), folder)

    def show_tests(self, found: Mapping[str, list[Outcome]], folder: Path) -> None:
        boxes, crop = self.tests[0].boxes, self.config["crop"]
        first = [o for outcomes in found.values() for o in outcomes if o.boxes == boxes]
        test_sheet(first, crop, folder / "test_frames.png")
        extreme_sheet(first, crop, folder / "extremes.png")

    def _refiner(self, data: DataConfig) -> AbstractContextManager[Refiner | None]:
        refine = self.config["run"].refine
        return open_refiner(refine, data, self.root, self.model.obj_id, self.seed)

    def _held_out(self, fold: Fold) -> DataConfig:
        return replace(self.data, folds=fold[0], fold=fold[1])
