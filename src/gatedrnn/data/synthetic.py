"""Seeded synthetic tasks that ask for memory over a chosen number of steps."""

import torch
from torch import Tensor


def adding_problem(
    batch_size: int, length: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw B sequences of the adding problem: inputs (B, T, 2), targets (B, 1), float32.

    Channel 0 holds uniform numbers on [0, 1); channel 1 marks two steps with 1, one in each half
    of the sequence, and is 0 elsewhere. The target is the sum of the two marked numbers.

    Trivial baseline: always answering 1, the mean of the sum, has mean squared error
    1/12 + 1/12 = 1/6 = 0.1667, the variance of a sum of two independent uniform numbers.

    Raises ValueError when the batch is empty or the sequence shorter than two steps.
    Source: Hochreiter and Schmidhuber (1997), in the form of Le, Jaitly and Hinton (2015).
    """
    if batch_size < 1 or length < 2:
        raise ValueError(
            "The adding problem needs at least one sequence of at least two steps, got "
            f"batch_size={batch_size}, length={length}."
        )
    half = length // 2
    values = torch.rand(batch_size, length, generator=generator)
    early = torch.randint(0, half, (batch_size,), generator=generator)
    late = torch.randint(half, length, (batch_size,), generator=generator)
    rows = torch.arange(batch_size)
    marks = torch.zeros(batch_size, length)
    marks[rows, early] = 1.0
    marks[rows, late] = 1.0
    targets = values[rows, early] + values[rows, late]
    return torch.stack([values, marks], dim=2), targets[:, None]


def copy_memory(
    batch_size: int,
    delay: int,
    generator: torch.Generator,
    symbols: int = 8,
    length: int = 10,
) -> tuple[Tensor, Tensor]:
    """Draw B sequences of the copy task: inputs and targets (B, T) of ids, T = delay + 2 * length.

    An input is `length` random symbols with ids 1 to `symbols`, then `delay` - 1 blanks (id 0), one
    cue (id `symbols` + 1) and `length` blanks. The target is blank until the cue has been read, and
    then the symbols in their order; the alphabet has `symbols` + 2 ids.

    Trivial baseline: being sure of the blanks and guessing the symbols evenly has mean
    cross-entropy length * ln(symbols) / (delay + 2 * length) nats, which is 0.1733 for a delay of
    100 with 8 symbols and length 10.

    Raises ValueError when a size is not positive.
    Source: Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and Bengio (2016).
    """
    if min(batch_size, delay, symbols, length) < 1:
        raise ValueError(
            "The copy task needs positive sizes, got "
            f"batch_size={batch_size}, delay={delay}, symbols={symbols}, length={length}."
        )
    total = delay + 2 * length
    memory = torch.randint(1, symbols + 1, (batch_size, length), generator=generator)
    inputs = torch.zeros(batch_size, total, dtype=torch.long)
    inputs[:, :length] = memory
    inputs[:, length + delay - 1] = symbols + 1
    targets = torch.zeros(batch_size, total, dtype=torch.long)
    targets[:, -length:] = memory
    return inputs, targets
