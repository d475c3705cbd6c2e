"""The training loop, its checkpoints and its devices; it knows no cell by name."""

from gatedrnn.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from gatedrnn.training.clipping import clip_by_global_norm
from gatedrnn.training.device import seed_everything, select_device
from gatedrnn.training.files import write_atomically
from gatedrnn.training.loop import (
    BatchSource,
    GeneratedBatches,
    History,
    NonFiniteError,
    TrainingSettings,
    fit,
)

__all__ = [
    "BatchSource",
    "CheckpointError",
    "GeneratedBatches",
    "History",
    "NonFiniteError",
    "TrainingSettings",
    "clip_by_global_norm",
    "fit",
    "load_checkpoint",
    "save_checkpoint",
    "seed_everything",
    "select_device",
    "write_atomically",
]
