import pytest
import torch

from render.errors import InputError
from train.learn import device as device_module
from train.learn.device import (
    autocast,
    check_torch,
    choose_device,
    computes_in_bfloat16,
    out_of_memory,
)


def test_auto_takes_the_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "", "cuda:x", "mps", "cpu,cuda"])
def test_an_unknown_device_is_refused_with_what_is_allowed(name):
    with pytest.raises(InputError, match=r"must be auto, cpu, cuda or cuda:INDEX$"):
        choose_device(name)


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_refused(name, count, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(InputError, match=f"--device {name}: torch sees {count} CUDA devices"):
        choose_device(name)


def test_a_gpu_is_named_by_its_index(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cuda") == torch.device("cuda")


def test_what_trains_on_a_gpu_draws_on_it(monkeypatch):
    drawn_on = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device_module, "draw_on_cuda", drawn_on.append)
    for name in ("cuda:1", "cuda", "cpu"):
        choose_device(name)
    assert drawn_on == [1, 0]


def test_the_cpu_convolves_right():
    check = check_torch()[0]
    assert check.ok and check.name == "torch cpu" and not check.fix
    assert f"torch {torch.__version__}" in check.detail


@pytest.mark.parametrize("wrong", ["a number", "an error"])
def test_a_device_that_convolves_wrong_is_named_with_the_fix(wrong, monkeypatch):
    def convolve(image, weight):
        if wrong == "an error":
            raise RuntimeError("no kernel image\nis available")
        return torch.zeros(1)

    monkeypatch.setattr(torch.nn.functional, "conv2d", convolve)
    check = check_torch()[0]
    assert not check.ok and "--device cpu" in check.fix and "\n" not in check.detail
    assert ("no kernel image" if wrong == "an error" else "gave 0.0, not 972") in check.detail


def test_where_memory_runs_out_the_user_is_told_what_takes_less():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    line = str(out_of_memory(caught.value))
    assert line.startswith("memory ran out (") and "lower train.batch" in line
    assert "\n" not in str(out_of_memory(torch.OutOfMemoryError("CUDA out of memory.\nTried")))
    assert out_of_memory(RuntimeError("shapes do not fit")) is None


@pytest.mark.parametrize("has", ["amx_bf16", "avx512_bf16", None])
def test_auto_computes_in_bfloat16_where_the_processor_does(has, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, has: True})
    computes_in_bfloat16.cache_clear()
    cpu = torch.device("cpu")
    for precision, fast in (("auto", has is not None), ("bfloat16", True), ("float32", False)):
        with autocast(precision, cpu):
            assert torch.is_autocast_enabled("cpu") is fast
    computes_in_bfloat16.cache_clear()
