"""Which torch devices there are."""

from functools import cache

import torch

from render.draw.egl_devices import draw_on_cuda
from render.errors import InputError
from render.show.doctor import Check


def choose_device(name: str) -> torch.device:
    """The device of --device: auto takes the first GPU, or the CPU where there is none.

    What is drawn from now on is drawn by the same GPU, if EGL has it and nobody chose another.

    Raises:
        InputError: the name is unknown, or the device is not there.
    """
    if name == "auto":
        return _drawn_on(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"--device {name}: must be auto, cpu, cuda or cuda:INDEX")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(f"--device {name}: torch sees {count} CUDA devices; try --device cpu")
    return _drawn_on(device)


def _drawn_on(device: torch.device) -> torch.device:
    """The device, on which OpenGL draws too if it can."""
    if device.type == "cuda":
        draw_on_cuda(device.index or 0)
    return device


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """What a network computes in by `train.precision`, as a context."""
    fast = precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, fast)


@cache
def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device does so, and is not slower for it: a GPU since Ampere, and processors with
    AMX or AVX-512's own instructions for it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))


def out_of_memory(error: RuntimeError) -> InputError | None:
    """What to tell the user where torch's error means that memory ran out, of a GPU or the CPU."""
    text = str(error).splitlines()[0] if str(error) else ""
    if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text):
        return None
    return InputError(
        f"memory ran out ({text}); lower train.batch or crop.size, or let fewer processes have it"
    )


def check_torch() -> list[Check]:
    """Run a small convolution on each torch device."""
    checks = []
    names = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    for name in names:
        detail = f"torch {torch.__version__}"
        if name == "cpu":
            detail += f", {torch.get_num_threads()} threads"
        else:
            detail += f", {torch.cuda.get_device_name(name)}"
        if computes_in_bfloat16(torch.device(name)):
            detail += ", bfloat16"
        try:
            image = torch.ones(1, 3, 8, 8, device=name)
            weight = torch.ones(1, 3, 3, 3, device=name)
            total = torch.nn.functional.conv2d(image, weight).sum().item()
            ok = total == 27 * 36
            if not ok:
                detail += f"; a convolution gave {total}, not {27 * 36}"
        except RuntimeError as error:
            ok, detail = False, f"{detail}; {str(error).splitlines()[0]}"
        fix = "" if ok else "use --device cpu, or install a torch build that fits the GPU's driver"
        checks.append(Check(f"torch {name}", ok, detail, fix))
    return checks
