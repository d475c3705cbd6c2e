"""Time of PyTorch's RNN, GRU and LSTM layers on this CPU, at equal size and equal parameters.

All variants of one size are run in turn, round after round, so that whatever else the machine does
meets each of them alike. What is compared are ratios to the GRU within a round. One thread; the
seconds are those of the process, so waiting for other processes is not counted.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gatedrnn.experiments.matching import hidden_size_for, parameter_count
from gatedrnn.experiments.options import Options

TITLE = "Time of PyTorch's RNN, GRU and LSTM on this CPU"
MAX_JOBS = 1

LAYERS: dict[str, Callable[..., nn.Module]] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}

FULL: dict[str, Any] = {
    "layers": "torch.nn, one layer, one direction, batch first, float32",
    "clock": "process time",
    "sizes": [
        {"batch": 32, "steps": 100, "inputs": 64, "gru_hidden": 128},
        {"batch": 1, "steps": 200, "inputs": 64, "gru_hidden": 128},
        {"batch": 64, "steps": 100, "inputs": 128, "gru_hidden": 256},
    ],
    "rounds": 21,
    "warm_up_rounds": 3,
}
QUICK = FULL | {
    "sizes": [{"batch": 2, "steps": 5, "inputs": 3, "gru_hidden": 6}],
    "rounds": 2,
    "warm_up_rounds": 1,
}


def run(options: Options) -> dict[str, Any]:
    """Time every size with oneDNN, PyTorch's own choice, and without it."""
    settings = QUICK if options.quick else FULL
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    cases = [(size, onednn) for size in settings["sizes"] for onednn in (True, False)]
    timed = [
        _time_case(size, onednn, settings)
        for size, onednn in tqdm(cases, disable=not options.progress, leave=False)
    ]
    return {"configuration": settings, "seeds": [0], "results": {"cases": timed}}


def table(results: dict[str, Any]) -> str:
    """Return a line for each variant: milliseconds, and time relative to the GRU."""
    lines = []
    for case in results["cases"]:
        size = case["size"]
        onednn = "with" if case["onednn"] else "without"
        lines.append(
            f"batch {size['batch']}, {size['steps']} steps, D = {size['inputs']}, {onednn} oneDNN"
        )
        for row in case["variants"]:
            label = f"{row['cell']} {row['matched']} H={row['hidden_size']}"
            words = "   ".join(
                f"{what} {row[what]['median_ms']:8.2f} ms, ratio {row[what]['ratio']:.2f} "
                f"[{row[what]['ratio_low']:.2f}, {row[what]['ratio_high']:.2f}]"
                for what in ("forward", "training")
            )
            lines.append(f"  {label:36}{words}")
    lines.append("Ratio to the GRU of the same round: median, and the middle half of the rounds.")
    return "\n".join(lines)


def _time_case(size: dict[str, int], onednn: bool, settings: dict[str, Any]) -> dict[str, Any]:
    variants = _variants(size)
    x = torch.randn(size["batch"], size["steps"], size["inputs"])
    seconds: dict[str, list[list[float]]] = {
        what: [[] for _ in variants] for what in ("forward", "training")
    }
    with _onednn(onednn):
        for round_ in range(settings["warm_up_rounds"] + settings["rounds"]):
            for index, (_, _, layer) in enumerate(variants):
                for what, work in (("forward", _forward), ("training", _train)):
                    taken = _seconds(work, layer, x)
                    if round_ >= settings["warm_up_rounds"]:
                        seconds[what][index].append(taken)
    rows = []
    gru = next(i for i, (cell, _, _) in enumerate(variants) if cell == "GRU")
    for index, (cell, matched, layer) in enumerate(variants):
        row: dict[str, Any] = {
            "cell": cell,
            "matched": matched,
            "hidden_size": layer.hidden_size,
            "parameters": parameter_count(layer),
        }
        for what, all_seconds in seconds.items():
            row[what] = _summary(all_seconds[index], all_seconds[gru])
        rows.append(row)
    return {"size": size, "onednn": onednn, "variants": rows}


def _variants(size: dict[str, int]) -> list[tuple[str, str, Any]]:
    """Return (cell, what is equal, layer); the GRU sets both the hidden size and the parameters."""

    def build(cell: str, hidden_size: int) -> nn.Module:
        return LAYERS[cell](size["inputs"], hidden_size, batch_first=True)

    hidden = size["gru_hidden"]
    budget = parameter_count(build("GRU", hidden))
    variants = [("GRU", "reference", build("GRU", hidden))]
    for cell in ("RNN", "LSTM"):
        variants.append((cell, "equal hidden size", build(cell, hidden)))
        matched = hidden_size_for(budget, partial(build, cell))
        variants.append((cell, "equal parameters", build(cell, matched)))
    return variants


def _forward(layer: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        layer(x)


def _train(layer: nn.Module, x: Tensor) -> None:
    layer.zero_grad(set_to_none=True)
    outputs, _ = layer(x)
    outputs.sum().backward()


def _seconds(work: Callable[[nn.Module, Tensor], None], layer: nn.Module, x: Tensor) -> float:
    started = time.process_time()
    work(layer, x)
    return time.process_time() - started


def _summary(seconds: list[float], reference: list[float]) -> dict[str, float]:
    ratios = [mine / gru for mine, gru in zip(seconds, reference, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    first, median, third = statistics.quantiles(seconds, n=4, method="inclusive")
    return {
        "median_ms": round(1e3 * median, 4),
        "low_ms": round(1e3 * first, 4),
        "high_ms": round(1e3 * third, 4),
        "ratio": round(middle, 4),
        "ratio_low": round(low, 4),
        "ratio_high": round(high, 4),
    }


@contextmanager
def _onednn(enabled: bool) -> Iterator[None]:
    # Not torch.backends.mkldnn.flags: that one warns about TF32 on machines without it.
    before = torch.backends.mkldnn.set_flags(enabled)
    try:
        yield
    finally:
        torch.backends.mkldnn.set_flags(before[0])
