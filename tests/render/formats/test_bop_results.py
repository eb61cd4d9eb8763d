import json

import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop_results import (
    HEADER,
    Detection,
    Estimate,
    read_detections,
    read_results,
    results_name,
    write_results,
)
from render.transforms import random_rotation, rigid

LINE = "2,3,1,0.5,1 0 0 0 1 0 0 0 1,10 20 800,0.25"


def test_results_come_back_to_the_last_bit(tmp_path, rng):
    estimates = [
        Estimate(2, i // 3, 5, rng.random(), rigid(random_rotation(rng), t), i // 3 / 7)
        for i, t in enumerate(np.round(rng.uniform(-1500, 1500, (60, 3)), 9) / 1000)
    ]
    write_results(tmp_path / "a.csv", estimates)
    again = read_results(tmp_path / "a.csv")
    for before, after in zip(estimates, again, strict=True):
        np.testing.assert_array_equal(after.cam_from_obj, before.cam_from_obj)
        for name in ("scene_id", "im_id", "obj_id", "score", "time_s"):
            assert getattr(after, name) == getattr(before, name)
    write_results(tmp_path / "b.csv", again)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_a_results_file_is_as_bop_has_it(tmp_path):
    pose = rigid(np.eye(3), [0.01, 0.02, 0.8])
    write_results(tmp_path / "a.csv", [Estimate(2, 3, 1, 0.5, pose)])
    assert (tmp_path / "a.csv").read_text() == (
        f"{HEADER}\n2,3,1,0.5,1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0 1.0,10.0 20.0 800.0,-1.0\n"
    )


@pytest.mark.parametrize(
    "text", [f"{HEADER}\n{LINE}\n", f"{LINE}\n", f"{HEADER}\n{LINE}", f"\ufeff{LINE}"]
)
def test_the_header_may_be_missing(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    (estimate,) = read_results(tmp_path / "a.csv")
    np.testing.assert_allclose(estimate.cam_from_obj[:3, 3], [0.01, 0.02, 0.8], rtol=1e-15)
    assert (estimate.score, estimate.time_s) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("2,3,1,0.5,1 0 0 0 1 0 0 0 1,10 20 800", "expected 7 comma-separated fields"),
        ("2,3,1,0.5,1 0 0 0 1 0 0 0,10 20 800,0", "R must be 9 finite numbers"),
        ("2,3,1,0.5,2 0 0 0 1 0 0 0 1,10 20 800,0", "R is not a rotation"),
        ("2,3,1,0.5,1 0 0 0 1 0 0 0 -1,10 20 800,0", "a reflection"),
        ("2,3,1,0.5,1 0 0 0 1 0 0 0 1,10 nan 800,0", "t must be 3 finite numbers"),
        ("2,3,1,nan,1 0 0 0 1 0 0 0 1,10 20 800,0", "score"),
        ("2,x,1,0.5,1 0 0 0 1 0 0 0 1,10 20 800,0", "im_id"),
        ("2,3,1.5,0.5,1 0 0 0 1 0 0 0 1,10 20 800,0", "obj_id must be a whole number"),
        ("2,3,1,0.5,1 0 0 0 1 0 0 0 1,10 20 800,", "time"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, broken, message):
    (tmp_path / "a.csv").write_text("\n".join([HEADER, LINE, broken, LINE]))
    with pytest.raises(InputError, match=rf"a\.csv, line 3: .*{message}"):
        read_results(tmp_path / "a.csv")


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_results(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"a\.csv: not text in UTF-8"):
        read_results(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; a results file has a line for each pose"),
        ("\ufeff\n \n", "empty"),
        ('[{"scene_id": 2, "image_id": 3}]', "JSON, as detections and ground truth are"),
        ('\n{"3": [{"obj_id": 1}]}', "JSON"),
        (f"{HEADER}\n{LINE}\n".replace(",", ";"), "line 1: .* parted by semicolons"),
        (f"{HEADER}\n{LINE}\n".replace(",", ";").replace(".", ","), "line 1: .* semicolons"),
        (f"{HEADER}\n" + LINE.replace(",", "\t"), "line 2: its fields are parted by tabs"),
    ],
)
def test_what_is_no_results_file_is_told_from_one(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=rf"a\.csv(: |, ){message}"):
        read_results(tmp_path / "a.csv")


def test_a_header_alone_is_of_a_method_that_found_nothing(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER)
    assert read_results(tmp_path / "a.csv") == []


def test_results_behind_the_camera_are_refused_where_all_are(tmp_path):
    behind = LINE.replace("10 20 800", "10 -20 -800")
    (tmp_path / "a.csv").write_text(f"{behind}\n{LINE}")
    assert len(read_results(tmp_path / "a.csv")) == 2
    (tmp_path / "a.csv").write_text(f"{behind}\n{behind}")
    with pytest.raises(InputError, match=r"a\.csv: every t has a z of 0 or less.* OpenGL's"):
        read_results(tmp_path / "a.csv")


def test_results_in_metres_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(LINE.replace("10 20 800", "0.01 0.02 0.8"))
    with pytest.raises(InputError, match="look like metres"):
        read_results(tmp_path / "a.csv")


def test_rows_of_one_image_must_share_their_time(tmp_path):
    pose = rigid(np.eye(3), [0, 0, 0.8])
    rows = [Estimate(2, 3, obj_id, 1.0, pose, time_s=obj_id) for obj_id in (1, 5)]
    with pytest.raises(ValueError, match="image 3 of scene 2"):
        write_results(tmp_path / "a.csv", rows)
    assert not list(tmp_path.iterdir())


def test_the_file_name_is_what_bop_takes_apart():
    assert results_name("mapping", "lmo", "test") == "mapping_lmo-test.csv"
    for parts in [("my_method", "lmo", "test"), ("m", "lm-o", "test"), ("m", "lmo", "")]:
        with pytest.raises(ValueError, match="must not"):
            results_name(*parts)


ENTRY = {
    "scene_id": 2,
    "image_id": 3,
    "category_id": 5,
    "bbox": [1, 2.5, 30, 40],
    "score": 0.9,
    "time": 0.1,
}


SIZES = {(2, 3): (640, 480)}


def test_detections_in_the_images_asked_for_are_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ENTRY, ENTRY | {"image_id": 4}]))
    found = [Detection(2, 3, 5, 0.9, (1, 2.5, 30, 40))]
    assert read_detections(tmp_path / "a.json", SIZES) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, 3]}, "bbox must be 4 finite numbers"),
        ({"bbox": [1, 2, 0, 4]}, "positive width and height"),
        ({"bbox": [1, 2, 3, -4]}, "positive width and height"),
        ({"bbox": [1, 2, 3, float("inf")]}, "bbox must be 4 finite numbers"),
        ({"bbox": [0, 0, 2**31, 12]}, "larger than 64000 pixels, 100 times its image of 640x480"),
        ({"bbox": [-(2**31), 0, 2**31 + 9, 12]}, "larger than 64000 pixels"),
        ({"bbox": [640, 2, 30, 40]}, "lies outside its image of 640x480 pixels"),
        ({"bbox": [-1e300, 2, 30, 40]}, "lies outside its image of 640x480 pixels"),
        ({"score": None}, "score"),
        ({"category_id": "can"}, "category_id"),
    ],
)
def test_a_faulty_detection_is_named_by_its_place(tmp_path, change, message):
    (tmp_path / "a.json").write_text(json.dumps([ENTRY, ENTRY | change]))
    with pytest.raises(InputError, match=rf"a\.json, entry 1: .*{message}"):
        read_detections(tmp_path / "a.json", SIZES)


def test_detections_of_other_images_alone_are_refused(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ENTRY] * 4))
    with pytest.raises(InputError, match=r"none of its 4 detections is in one of the 1 images"):
        read_detections(tmp_path / "a.json", {(2, 4): (640, 480)})
    (tmp_path / "a.json").write_text("[]")  # a detector may find nothing
    assert read_detections(tmp_path / "a.json", SIZES) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_what_is_no_list_of_detections_is_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        read_detections(tmp_path / "a.json", SIZES)


def test_an_object_that_was_looked_for_is_detected_somewhere(tmp_path):
    elsewhere = ENTRY | {"category_id": ENTRY["category_id"] + 1, "image_id": 77}
    (tmp_path / "a.json").write_text(json.dumps([ENTRY, elsewhere]))
    ids = [ENTRY["category_id"], elsewhere["category_id"]]
    assert len(read_detections(tmp_path / "a.json", SIZES, ids)) == 1
    there = f"only of {ids[0]}, {ids[1]}; category_id is BOP's obj_id"
    line = rf"a\.json: no detection of object 9, {there}"
    with pytest.raises(InputError, match=line):
        read_detections(tmp_path / "a.json", SIZES, [9])
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match="no detection of object 9, none at all"):
        read_detections(tmp_path / "a.json", SIZES, [9])
