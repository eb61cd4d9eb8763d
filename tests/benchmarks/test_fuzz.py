import json

import numpy as np
import pytest

from benchmarks import fuzz_worker
from benchmarks.fuzz import fuzz
from benchmarks.fuzz_containers import container_of
from benchmarks.fuzz_damage import damage
from benchmarks.fuzz_datasets import make_checkpoint, make_shards
from benchmarks.fuzz_reading import Case
from benchmarks.fuzz_seeds import make_glb, make_rgb
from tests import fuzzed_readers as planted

FAULTY = {
    planted.raises: "KeyError at tests/fuzzed_readers.py",
    planted.loops: "computes for more than 0.5 s",
    planted.eats_memory: "MemoryError at tests/fuzzed_readers.py",
    planted.hides_memory: "takes more than 1024 MiB",
    planted.dies: "the process ends with exit code -11",
    planted.starts_program: "starts a program or a connection: subprocess.Popen of 'true'",
    planted.says_two_lines: "a message of several lines",
    planted.says_no_name: "a message that names no file",
}


@pytest.mark.slow
def test_every_planted_fault_is_found_and_a_sound_reader_has_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz_worker, "SECONDS", 0.5)
    readers = [planted.reader(read) for read in (planted.sound, *FAULTY)]
    counts = fuzz(readers, 2 * len(readers), seed=1, workers=2, keep=tmp_path)
    assert counts.pop("sound")["fault"] == 0
    for read, count in zip(FAULTY, counts.values(), strict=True):
        assert count == {"fault": 2}, read
        for number in range(2):
            said = (tmp_path / f"{read.__name__}_{number:05d}" / "FAULT").read_text()
            assert said.startswith("a.json: ") and FAULTY[read] in said
    printed = " ".join(capsys.readouterr().out.split())
    assert "raises 2 0 0 2 " in printed and "raises: 2 x KeyError at tests/" in printed


def test_what_is_kept_is_what_was_read(tmp_path):
    """So a fault can be looked at again."""
    reader = planted.reader(planted.raises)
    fuzz([reader], 2, seed=1, workers=1, keep=tmp_path / "kept")
    (tmp_path / "valid").mkdir()
    planted.make(tmp_path / "valid")
    file, content = Case(reader, 1, 1).place(tmp_path / "valid")
    assert (tmp_path / "kept" / "raises_00001" / file.name).read_bytes() == content
    assert content != file.read_bytes()


def test_a_reader_that_refuses_valid_files_is_no_test_of_it(tmp_path):
    with pytest.raises(RuntimeError, match="refuses_all: a valid file is refused"):
        fuzz([planted.reader(planted.refuses_all)], 1, seed=1, workers=1)


@pytest.mark.parametrize("make", [make_rgb, make_glb, make_checkpoint, make_shards])
def test_containers_that_are_taken_apart_are_put_together_again(tmp_path, make):
    make(tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    found = [(container_of(file.read_bytes()), file.read_bytes()) for file in files]
    for container, content in found:
        if container is not None:
            parts = container.split(content)
            assert parts and container.split(container.join(parts)) == parts
    assert any(container is not None for container, _ in found)


def test_damage_changes_files_in_many_ways_and_repeats(rng):
    content = json.dumps({"a": [1, 2.5, "x"], "b": {"c": None}}).encode()
    seen = [damage(content, np.random.default_rng(i)) for i in range(300)]
    again = [damage(content, np.random.default_rng(i)) for i in range(300)]
    assert seen == again
    assert len(set(seen)) > 200 and seen.count(content) < 15
    assert any(b"[" * 1000 in text for text in seen) and any(b"NaN" in text for text in seen)
