"""Timing that can be compared: clocks, competitors run in turn, medians with intervals."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Work = Callable[[], object]
Clock = Callable[[Work], float]


@dataclass(frozen=True)
class Median:
    """A median of n values and an interval that holds the true one with at least ``level``."""

    median: float
    low: float
    high: float
    level: float
    n: int


def median_interval(values: Sequence[float], level: float = 0.95) -> Median:
    """Return the median with an interval between two order statistics, free of any distribution.

    With fewer than six values even the smallest and the largest hold less than 95 %; then these two
    are the interval, and ``level`` is what they do hold.
    Raises ValueError for no values or a level outside (0, 1).
    Source: Conover (1999), section 3.2.
    """
    if not values or not 0 < level < 1:
        raise ValueError(
            f"Expected at least one value and a level between 0 and 1, got {len(values)} values "
            f"and {level}."
        )
    ordered, n = sorted(values), len(values)

    def coverage(rank: int) -> float:
        outside = sum(math.comb(n, k) for k in range(rank + 1)) / 2**n
        return 1 - 2 * outside

    rank = 0
    while rank + 1 < n / 2 and coverage(rank + 1) >= level:
        rank += 1
    return Median(
        statistics.median(ordered),
        ordered[rank],
        ordered[n - 1 - rank],
        max(0.0, coverage(rank)),
        n,
    )


def process_clock(work: Work) -> float:
    """Seconds of this process' processors, so that waiting for other programs is not counted."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_clock(work: Work) -> float:
    """Seconds that passed; with several threads, the only number that says what they save."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cuda_clock(work: Work) -> float:
    """Seconds between two events on the GPU, after all earlier work on it has ended.

    The events stand in the stream: time in which the GPU waits for Python is counted, and Python
    that runs ahead of the GPU is not.
    """
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    work()
    stop.record()
    torch.cuda.synchronize()
    return start.elapsed_time(stop) / 1e3


def run_in_turn(
    works: Mapping[str, Work],
    clock: Clock,
    rounds: int,
    warm_up: int = 2,
    slow: float = math.inf,
    slow_rounds: int = 3,
) -> dict[str, list[float]]:
    """Time every work once in each round, so that whatever the machine does meets all alike.

    A work that takes more than ``slow`` seconds takes part in the first ``slow_rounds`` only.
    Returns the seconds by name, without the rounds of the warm-up; the i-th values of two works
    are from the same round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    warm: dict[str, float] = {}
    for _ in range(warm_up):
        for name, work in works.items():
            if warm.get(name, 0.0) <= slow:
                warm[name] = clock(work)
    for round_ in range(rounds):
        for name, work in works.items():
            if warm.get(name, 0.0) <= slow or round_ < slow_rounds:
                seconds[name].append(clock(work))
    return seconds


def ratios(mine: Sequence[float], reference: Sequence[float]) -> list[float]:
    """The quotients of the rounds in which both took part."""
    return [a / b for a, b in zip(mine, reference, strict=False)]


def saved_bytes(work: Callable[[], object], given: Sequence[Tensor]) -> int:
    """Bytes that a forward pass keeps for its backward pass, beside the tensors it was given.

    Each piece of memory counts once, whole, however many views of it are kept.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in given}
    kept: dict[int, int] = {}
    alive = []  # memory that is freed early could be given out again, and be counted as one

    def pack(tensor: Tensor) -> Tensor:
        # A layout without storage of this kind (oneDNN's own) tells its size all the same.
        if tensor.layout != torch.strided:
            kept[id(tensor)] = tensor.numel() * tensor.element_size()
            alive.append(tensor)
            return tensor
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()
    del result
    return sum(kept.values())
