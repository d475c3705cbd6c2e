"""Checkpoints: written whole or not at all, read without running any code."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from gatedrnn.training.files import write_atomically


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, cannot be read, or belongs to another run."""


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write a dictionary of tensors and plain values; the file before it stays until the end.

    Raises CheckpointError when the file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint {path} could not be written ({error.strerror}); the one before it is "
            "untouched. Free some space, or give a folder that can be written."
        ) from error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote.

    Raises CheckpointError when the file is not a whole checkpoint.
    """
    try:
        # weights_only: a checkpoint holds data and must not be able to run code.
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}); "
            "delete it to start this run again."
        ) from error
