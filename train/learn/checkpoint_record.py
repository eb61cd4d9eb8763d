"""What a checkpoint may hold: every name, type and shape."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from render import plain
from render.errors import InputError
from render.plain import clipped
from train.learn.targets import HandInfo, ObjectInfo
from train.options import NETWORKS


def check_state(state: Mapping[str, torch.Tensor], net: nn.Module, where: str) -> None:
    """Raise InputError unless a state has the names, shapes and types of a network's."""
    expected = net.state_dict()
    different = sorted(set(state) ^ set(expected))
    if different:
        what = "is missing" if different[0] in expected else "is not in the network"
        raise InputError(f"{where}: {clipped(different[0])} {what}")
    for name, tensor in expected.items():
        _require_like(state[name], tensor, f"{where}: {name}")


def check_optimizer(state: Mapping[str, Any], optimizer: torch.optim.Adam, where: str) -> None:
    """Raise InputError unless Adam can go on with a state, one that a checkpoint may hold."""
    groups = [group["params"] for group in optimizer.param_groups]
    lengths = [len(group) for group in groups]
    got = [group["params"] for group in state["param_groups"]]
    numbers = [number for group in got for number in group]
    if [len(group) for group in got] != lengths or numbers != list(range(sum(lengths))):
        sizes = [" and ".join(map(str, sizes)) for sizes in (map(len, got), lengths)]
        raise InputError(f"{where}: is of {sizes[0]} weights, not {sizes[1]}")
    weights = [weight for group in groups for weight in group]
    for number, moments in state["state"].items():
        if not isinstance(number, int) or not 0 <= number < len(weights):
            raise InputError(f"{where}: there is no weight {plain.shown(number)}")
        for name in ("exp_avg", "exp_avg_sq"):
            _require_like(moments[name], weights[number], f"{where}: {name} of {number}")


def _tensor(value: Any, where: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise plain.refusal(where, "a tensor", value)
    return value


def _step(value: Any, where: str) -> Any:
    """A count of steps, as a number or a tensor of one."""
    if not isinstance(value, torch.Tensor):
        return plain.number(0)(value, where)
    if value.numel() != 1 or not value.dtype.is_floating_point:
        raise plain.refusal(where, "a count", tuple(value.shape))
    return value


def _require_like(tensor: torch.Tensor, like: torch.Tensor, where: str) -> None:
    got, wanted = ((t.dtype, t.layout, tuple(t.shape)) for t in (tensor, like))
    if got != wanted:
        raise InputError(
            f"{where} is {got[2]} of {got[0]}; {wanted[2]} of {wanted[0]} was expected"
        )


def _settings(value: Any, where: str, deepest: int = 8) -> Any:
    """Settings by their names, in sections by theirs."""
    if not isinstance(value, Mapping) or not deepest:
        raise plain.refusal(where, "settings by their names", value)
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            _settings(inner, plain.within(where, f".{name}"), deepest - 1)
    return value


_MOMENTS = plain.record({"step": _step, "exp_avg": _tensor, "exp_avg_sq": _tensor}, others=True)
_GROUP = plain.record({"params": plain.list_of(plain.whole(0), most=1 << 20)}, others=True)
_OPTIMIZER = plain.record(
    {
        "state": plain.dict_of(_MOMENTS),
        "param_groups": plain.list_of(_GROUP, most=3, least=1),
    },
    others=True,
)


def _optimizer(value: Any, where: str) -> Any:
    """The state of Adam; {} is that of no step."""
    return _OPTIMIZER(value, where) if value != {} else value


_ANYTHING = plain.record({}, others=True)
_BEST = plain.record(
    {"error": plain.number(), "step": plain.whole(0), "net": plain.dict_of(_tensor)}
)
# What every network's file holds, whatever it is for.
TRAINED = {
    "net": plain.dict_of(_tensor),
    "target": _ANYTHING,
    "step": plain.whole(0),
    "settings": _settings,
    "optimizer": _optimizer,
}
CHECKPOINT = plain.record(
    {
        **TRAINED,
        "network": plain.one_of(NETWORKS),
        "kind": plain.one_of((ObjectInfo.kind, HandInfo.kind)),
        "crop": _ANYTHING,
        "method": plain.text,
    },
    {
        "best": plain.optional(_BEST),
        "seen": plain.optional(plain.list_of(plain.text, most=10**7)),
        "discriminator": plain.optional(plain.dict_of(_tensor)),
    },
    others=True,
)
