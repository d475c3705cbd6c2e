"""The gated recurrent unit and its relatives, from their equations to fast layers.

``gatedrnn.equations`` holds the formulas as NumPy functions; ``RNN``, ``GRU``, ``LSTM`` and their
cells are drop-in for those of ``torch.nn``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cells import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

__version__ = "0.1.0"

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"]


def __getattr__(name: str) -> Any:
    # The layers are imported at first use: they need torch, and the equations do not.
    if name in __all__:
        return getattr(import_module(".cells", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
