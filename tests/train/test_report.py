"""The page that a run leaves, read as HTML and opened in a browser."""

import base64
import json
import shlex
import shutil
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from torch.utils.tensorboard import SummaryWriter

import pipeline
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.image_file import write_png
from tests.chromium import chromium, find_chromium
from train.options import CropConfig, TrainConfig
from train.report.asked import changed
from train.report.curves import curve_plots, find_logs, method_colors
from train.report.page import leave_report, write_page

METHODS = ["synthetic", "real", "mapping"]
PICTURES = ["pairs", "test_frames", "extremes", "neighbours"]
CONFIG = {"train": TrainConfig(steps=7, lr=0.25), "crop": CropConfig()}
needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium here: apt-get install chromium"
)


def metrics(rng: np.random.Generator) -> dict:
    keys = ("corner_px", "proj_5px", "translation_mm_median")
    return {**{key: float(rng.uniform(1, 300)) for key in keys}, "ar": None, "n": 30, "n_failed": 2}


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    """What `run` leaves of two objects, with noise for pictures; a name that HTML would misread."""
    out = tmp_path / "a<b>&c"
    objects = {name: {method: metrics(rng) for method in METHODS} for name in ("5", "12")}
    objects["5"]["real"]["corner_px"] = float("inf")  # behind the camera
    mean = {method: metrics(rng) for method in METHODS}
    results = {"dataset": "<lmo>", "seed": 3, "methods": METHODS, "boxes": "bbox_visib"}
    results |= {"objects": objects, "mean": mean}
    results["subsets"] = {"bbox_obj": {"objects": objects, "mean": mean}}
    for name in objects:
        subject = out / f"obj_{int(name):06d}"
        subject.mkdir(parents=True)
        for picture in PICTURES:
            write_png(subject / f"{picture}.png", rng.integers(0, 255, (60, 80, 3), np.uint8))
        for method in METHODS:
            with SummaryWriter(str(subject / method / "log")) as log:
                for step in range(1, 6):
                    log.add_scalar("loss/real", 1 / step, step)
    (out / "results.json").write_text(json.dumps(results))
    return out


class Reader(HTMLParser):
    """The tags of a page, checked to be closed in order; sources of pictures; cells of tables."""

    VOID = ("meta", "link", "img", "source", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict] = []
        self.sources: list[str] = []
        self.headings: list[str] = []
        self.values: list[float] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(given)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        self.sources += [given[name] for name in ("src", "srcset", "href") if name in given]
        if "data-value" in given:
            self.values.append(float(given["data-value"]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def values_of(results: dict) -> list[float]:
    """All numbers of the tables, in their order."""
    tables = [results, *results["subsets"].values()]
    of_subjects = [one for table in tables for one in (*table["objects"].values(), table["mean"])]
    rows = [row for by_method in of_subjects for row in by_method.values()]
    return [value for row in rows for value in row.values() if value is not None]


def content(uri: str) -> bytes:
    kind, _, encoded = uri.partition(";base64,")
    assert kind.startswith("data:image/") and encoded
    return base64.b64decode(encoded, validate=True)


def test_the_page_needs_nothing_else_and_says_what_results_json_says(folder):
    page = write_page(folder)
    found = Reader(page.read_text())
    assert all(uri.startswith(("data:", "#")) for uri in found.sources)
    assert len([s for s in found.images if "svg" not in s["src"][:20]]) == 2 * len(PICTURES)
    for image in found.images:
        assert len(image["alt"]) > 20
        if "svg" not in image["src"][:20]:
            raw = np.frombuffer(content(image["src"]), np.uint8)
            pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR)
            assert pixels is not None and pixels.shape == (60, 80, 3)
        else:
            assert b"<svg" in content(image["src"])
    results = json.loads((folder / "results.json").read_text())
    assert found.values == values_of(results)
    assert found.headings[0] == "h1" and found.headings.count("h1") == 1
    texts = " ".join(found.texts)
    assert "a<b>&c" in texts and "<lmo>" in texts  # and not taken for tags


@pytest.mark.slow
def test_the_page_is_the_same_each_time(folder):
    first = write_page(folder).read_bytes()
    assert write_page(folder).read_bytes() == first


def test_what_was_asked_is_kept_and_shown(folder, monkeypatch):
    monkeypatch.setenv("BOP_PATH", "/a folder")
    monkeypatch.delenv("NYU_PATH", raising=False)
    words = ["run", "--set", "data.dataset=my data", "--out", str(folder)]

    @pipeline.main.command("report-of-a-test")
    def command() -> None:
        leave_report(CONFIG, folder, 3)

    words[0] = "report-of-a-test"
    monkeypatch.setattr(sys, "argv", ["pipeline.py", *words])
    try:
        result = CliRunner().invoke(pipeline.main, words[:1])
    finally:
        pipeline.main.commands.pop("report-of-a-test")
    assert result.exit_code == 0, result.output
    asked = json.loads((folder / "asked.json").read_text())
    assert shlex.split(asked["command"]) == ["BOP_PATH=/a folder", "python", "pipeline.py", *words]
    assert asked["changed"] == {"train": {"steps": [7, TrainConfig().steps], "lr": [0.25, 0.0005]}}
    texts = " ".join(Reader((folder / "report.html").read_text()).texts)
    assert "train.lr" in texts and asked["versions"]["torch"] in texts
    assert "'data.dataset=my" in texts


def test_called_from_python_there_is_no_command(folder):
    leave_report(CONFIG, folder, 3)
    assert json.loads((folder / "asked.json").read_text())["command"] is None
    assert "Called from Python" in (folder / "report.html").read_text()


def test_options_at_their_defaults_are_no_change():
    assert changed({"train": TrainConfig(), "crop": CropConfig()}) == {}
    assert changed({"render": RenderConfig(up="y")}) == {"render": {"up": ["y", None]}}
    assert changed({"train": TrainConfig(frozen_blocks=9)}) == {"train": {"frozen_blocks": [9, 3]}}


def test_damaged_pictures_and_folders_without_results_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"results\.json: no such file"):
        write_page(tmp_path)
    broken = folder / "obj_000005" / "pairs.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"pairs\.png: not an image"):
        write_page(folder)
    assert not (folder / "report.html").exists()


def test_learning_curves_are_those_of_the_logs(folder):
    (_, logs), _ = find_logs(folder).items()
    assert list(logs) == METHODS
    steps, values = logs["mapping"]["loss/real"]
    assert steps == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(values, 1 / np.array(steps), rtol=1e-6)
    both = {m: {**of_one, "validation": of_one["loss/real"]} for m, of_one in logs.items()}
    plot = curve_plots({"obj_000012": both})[0]
    assert "mapping: loss on real frames 0.2 at step 5" in plot.alt
    assert len(set(plot.drawn.values())) == 4  # light and dark, wide and narrow


def test_logs_of_datasets_and_of_tuning_are_no_curves(folder):
    for name in ("obj_000005/twins", "obj_000005/tuning/fold0"):
        shutil.copytree(folder / "obj_000012" / "real", folder / name / "real")
    (folder / "obj_000005" / "twins" / "generation.json").write_text('{"renderer": "of a test"}')
    assert list(find_logs(folder)) == ["obj_000005", "obj_000012"]
    assert "of a test" in write_page(folder).read_text()


def test_an_evaluation_shows_the_curves_of_the_network_it_tested(folder):
    network = folder / "obj_000012" / "real"
    (network / "checkpoint.pt").touch()
    out = folder.parent / "evaluation"
    out.mkdir()
    shutil.copy(folder / "results.json", out)
    page = leave_report(CONFIG, out, 3, network / "checkpoint.pt").read_text()
    assert "real: loss on real frames 0.2 at step 5" in page and str(network) in unescape(page)


def test_a_study_has_a_table_for_each_of_its_own_and_one_of_tuning(tmp_path):
    estimates = {
        "mapping": {"mean": 4.25, "over_objects": None, "over_seeds": [4.0, 4.5]},
        "real": {"mean": 8.5, "over_objects": None, "over_seeds": [8.0, 9.0]},
    }
    ratio = {"mean": 0.5, "over_objects": None, "over_seeds": [0.5, 0.75]}
    table = {"visib": 0.6, "real_frames": 5, "chosen_on": False, "seeds": {"9": [0, 1]}}
    table |= {"methods": {m: {"corner_px": e, "add_10": 3.0} for m, e in estimates.items()}}
    table |= {"rival": "real", "ratios": {"real": ratio}}
    tuning = {m: {"runs": 3, "candidates": [], "chosen": {"lr": 0.125}} for m in estimates}
    study = {"seed": 0, "done": [3, 4], "tuning": tuning, "tables": [table], "failed": {"x": "y<z"}}
    (tmp_path / "study.json").write_text(json.dumps(study))
    found = Reader(write_page(tmp_path).read_text())
    assert found.values == [4.25, 0.5, 3.0, 8.5, 1.0, 3.0, 0.5, 0.25, 3, 3]
    texts = " ".join(found.texts)
    assert "5 real frames, visib_fract >= 0.6, objects 9, 2 seeds each" in texts
    assert "real (rival)" in texts and "0.500 to 0.750" in texts and "lr 0.125" in texts
    assert "3 of 4 networks" in texts and "x: y<z" in texts


def test_hands_have_a_table_of_joints_and_a_localiser_one_of_centres(tmp_path):
    rows = {
        m: {"joint_mm": e, "per_joint_mm": {"palm": e + 1}, "n": 4}
        for m, e in {"real": 9.5}.items()
    }
    results = {"dataset": "nyu", "methods": ["real"], "center": {"center_mm": 7.5}}
    results |= {"objects": {"hand": rows}, "mean": rows, "subsets": {"small hand": rows}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert Reader(write_page(tmp_path).read_text()).values == [9.5, 4, 9.5, 4, 7.5, 10.5]
    del results["objects"], results["mean"], results["subsets"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert Reader(write_page(tmp_path).read_text()).values == [7.5]


@needs_chromium
def test_a_browser_shows_every_picture_and_sorts_by_a_click(folder):
    results = json.loads((folder / "results.json").read_text())
    cells = "[...document.querySelectorAll('td[data-value]')]"
    rows = "[...document.querySelector('table').tBodies[0].rows]"
    column = f"{rows}.map(row => String(+row.cells[2].dataset.value))"
    values = f"{cells}.map(c => String(+c.dataset.value))"
    click = "document.querySelectorAll('table thead button')[2].click()"
    with chromium() as page:
        for width, scheme in ((1280, "light"), (400, "dark")):
            page.look(width, scheme)
            page.open(write_page(folder))
            sizes = page.evaluate(
                "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
            )
            assert len(sizes) == 2 * len(PICTURES) + 3 and min(sizes) > 0
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert [*map(float, page.evaluate(values))] == values_of(results)
            shown = page.evaluate(f"{cells}.map(c => c.textContent)")
            texts = [str(v) if isinstance(v, int) else f"{v:.1f}" for v in values_of(results)]
            assert shown == texts
            before = [*map(float, page.evaluate(column))]  # JSON has no infinity
            page.evaluate(click)
            assert [*map(float, page.evaluate(column))] == sorted(before) != before
            page.evaluate(click)
            assert [*map(float, page.evaluate(column))] == sorted(before, reverse=True)
        assert page.errors == []


@needs_chromium
def test_the_browser_of_these_tests_hears_errors(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<script>console.error('heard'); undefined.name</script>")
    with chromium() as page:
        page.open(file)
        heard = " ".join(page.errors)
    assert "heard" in heard and "TypeError" in heard


def test_refined_poses_have_the_colour_of_their_method_and_paler():
    colors = method_colors(["mixed", "mixed-refined", "exemplar"])
    assert colors["mixed-refined"] == colors["mixed"] + "80" != colors["exemplar"]
