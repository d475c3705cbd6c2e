"""RNN, GRU and LSTM in PyTorch, drop-in for the modules of the same names in ``torch.nn``."""

from .cells import GRUCell, LSTMCell, RNNCell
from .layers import GRU, LSTM, RNN

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"]
