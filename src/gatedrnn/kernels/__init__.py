"""Fast forms of the layers; each stands beside its plain form and agrees with it."""

from .gru import gru_fused
from .lstm import lstm_fused
from .minimal import mix_fused
from .scan import scan_doubling, scan_log, scan_log_cumulative, scan_steps

__all__ = [
    "gru_fused",
    "lstm_fused",
    "mix_fused",
    "scan_doubling",
    "scan_log",
    "scan_log_cumulative",
    "scan_steps",
]
