"""Tools that an exercise leaves out, as its notebook says: refused in each call, and noted.

They are refused while an answer is called and at no other time: a cell that compares with them runs
as ever. It is no wall, since whoever keeps a copy under another name gets past; it is for those who
have not read the notebook, and it tells the instructor.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_LAYERS = ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell")
_FUNCTIONS = tuple(
    name + cell for name in ("rnn_tanh", "rnn_relu", "gru", "lstm") for cell in ("", "_cell")
)
#: What `Exercise.without` may name, and the functions that each of them comes through.
TOOLS: dict[str, tuple[str, ...]] = {
    "torch's recurrent layers": (
        *(f"torch.nn.{name}.forward" for name in _LAYERS),
        *(f"torch.{name}" for name in _FUNCTIONS),
        *(f"torch._VF.{name}" for name in _FUNCTIONS),
    ),
    # All of torch's own ways back, and forward, meet in these two.
    "automatic differentiation": (
        "torch.autograd._engine_run_backward",
        "torch.autograd.forward_ad.make_dual",
    ),
}


@contextlib.contextmanager
def refusing(without: Iterable[str]) -> Iterator[list[str]]:
    """Refuse the use of these tools; gives the list of those that were tried."""
    tried: list[str] = []
    kept: list[tuple[Any, str, Any]] = []
    for tool in without:
        for dotted in TOOLS[tool]:
            package, *way, last = dotted.split(".")
            holder = sys.modules.get(package)  # what is not loaded cannot be used
            for step in way:
                holder = getattr(holder, step, None)
            if hasattr(holder, last):
                kept.append((holder, last, vars(holder).get(last)))
                setattr(holder, last, _refusal(tool, tried))
    try:
        yield tried
    finally:
        for holder, last, own in kept:
            if own is None:
                delattr(holder, last)
            else:
                setattr(holder, last, own)


def _refusal(tool: str, tried: list[str]) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        if tool not in tried:
            tried.append(tool)
        raise RuntimeError(f"this exercise leaves out {tool}; write it out yourself")

    return refuse
