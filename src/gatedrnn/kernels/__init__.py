"""Fast forms of the layers; each stands beside its plain form and agrees with it."""

from .gru import gru_fused
from .lstm import lstm_fused

__all__ = ["gru_fused", "lstm_fused"]
