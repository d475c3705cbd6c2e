"""Choose a device and seed the generators of a run."""

import torch


def select_device(name: str = "cpu") -> torch.device:
    """Return the device of that name, "cpu" or "cuda" (or "cuda:1", ...).

    Raises ValueError for another name, or when no such CUDA device is there.
    """
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()):
        raise ValueError(f'Expected device "cpu" or "cuda", got {name!r}.')
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"Device {name!r} was asked for, but PyTorch sees {torch.cuda.device_count()} CUDA "
            'devices; use "cpu", or install a CUDA build of PyTorch as the README says.'
        )
    return torch.device(name)


def seed_everything(seed: int) -> None:
    """Seed PyTorch's generators on the CPU and on every CUDA device.

    The training loop draws from these alone, so a run that uses no other source of chance is
    the same each time on the same machine with the same number of threads.
    """
    torch.manual_seed(seed)
