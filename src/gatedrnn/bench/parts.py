"""The parts of the benchmark; each runs in a process of its own and gives plain values."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from gatedrnn.analysis.timing import (
    Clock,
    cuda_clock,
    median_interval,
    process_clock,
    ratios,
    run_in_turn,
    saved_bytes,
    wall_clock,
)
from gatedrnn.bench import competitors as c
from gatedrnn.bench import peers
from gatedrnn.bench.case import Case, Competitor, Size

Build = Callable[[Case], Competitor]

SIZES = (
    Size(32, 100, 64, 128),
    Size(64, 256, 128, 256),
    Size(1, 1000, 64, 128),
    Size(128, 64, 512, 512),
)
TIMES = tuple(Size(32, 2**k, 64, 128) for k in range(6, 13))
HIDDENS = tuple(Size(32, 100, 64, 2**k) for k in range(5, 11))
QUICK = (Size(4, 8, 3, 8),)

# A largest relative difference: float32, sums over thousands of steps in another order.
AGREEMENT = 1e-3


# Compiling takes minutes on a busy machine, so it takes part at two sizes only.
COMPILED = (Size(32, 100, 64, 128), Size(1, 1000, 64, 128))


def builders(section: str, size: Size, device: str) -> list[Build]:
    """The competitors of a section, the reference first."""
    fused: list[Build] = [
        c.library,
        lambda case: c.ours(case, "fused"),
        lambda case: c.ours(case, "plain"),
    ]
    recomputing: Build = lambda case: c.ours(case, "fused", recompute=True)  # noqa: E731
    if section == "gru":
        everyone = [*fused, recomputing, c.cell_loop, c.products_alone]
        if size in COMPILED:
            everyone.append(c.compiled_loop)
        if device == "cuda":
            return [*everyone, c.captured]
        outside: list[Build] = [peers.numpy_fused, peers.numpy_equations]
        outside += [peers.jax_scan, peers.onnx_runtime, peers.keras_on_torch]
        return everyone + outside
    if section == "lstm":
        everyone = [*fused, recomputing, c.cell_loop, c.products_alone]
        everyone.append(lambda case: c.library(case, "gru"))
        if device == "cuda":
            return [*everyone, c.captured]
        return [*everyone, c.library_without_onednn, peers.onnx_runtime]
    if section == "minimal":
        forms = [("minGRU", m) for m in ("fused", "steps", "doubling", "log", "log-cumulative")]
        forms += [("minLSTM", m) for m in ("fused", "doubling")]
        return fused + [
            lambda case, kind=kind, method=method: c.minimal(case, kind, method)
            for kind, method in forms
        ]
    return fused


def run_case(
    section: str, size: Size, device: str, threads: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Time all competitors of a section at one size.

    On a GPU the clock is that of its events, and a fused layer takes part in a CUDA graph as well;
    this branch has been run nowhere yet.
    """
    torch.set_num_threads(threads)
    case = Case("lstm" if section == "lstm" else "gru", size, torch.device(device))
    clock = cuda_clock if device == "cuda" else process_clock if threads == 1 else wall_clock
    field, absent = [], {}
    for build in builders(section, size, device):
        if (reason := peers.missing(build)) is not None:
            absent[build.__name__] = reason
        else:
            field.append(build(case))
    errors = _differences(field)
    record: dict[str, Any] = {"size": asdict(size), "absent": absent}
    measured = {
        "forward": _measure({k.name: k.forward for k in field if k.forward}, clock, settings),
        "training": _measure({k.name: k.training for k in field if k.training}, clock, settings),
    }
    record["competitors"] = [
        {
            "name": k.name,
            **{what: rows[k.name] for what, rows in measured.items() if k.name in rows},
            **({"difference": errors[k.name]} if k.name in errors else {}),
            **({"saved": _saved(k, size)} if k.saving else {}),
            **({"compile_seconds": round(k.compile_seconds, 1)} if k.compile_seconds else {}),
        }
        for k in field
    ]
    return record


def _measure(
    works: dict[str, Callable[[], Any]], clock: Clock, settings: dict[str, Any]
) -> dict[str, Any]:
    reference, *_ = works
    works[reference]()
    once = clock(works[reference])
    rounds = int(min(settings["rounds"], max(settings["least"], settings["seconds"] / (8 * once))))
    seconds = run_in_turn(works, clock, rounds, slow=4 * once)
    return {
        name: {
            "seconds": _rounded(median_interval(values)),
            "ratio": _rounded(median_interval(ratios(values, seconds[reference]))),
        }
        for name, values in seconds.items()
    }


def _rounded(median: Any) -> dict[str, float]:
    return {
        key: value if key == "n" else float(f"{value:.4g}") for key, value in asdict(median).items()
    }


def _differences(field: list[Competitor]) -> dict[str, float]:
    """The largest difference from the reference, relative to its largest value, by name.

    Raises ValueError when a competitor does not compute the same: its time would mean nothing.
    """
    reference, *others = field
    differences = {}
    for other in others:
        if not other.checked:
            continue
        largest = max(
            _difference(getattr(other, what)(), getattr(reference, what)())
            for what in ("forward", "training")
            if getattr(other, what) is not None
        )
        if not largest < AGREEMENT:
            raise ValueError(
                f"{other.name} differs from {reference.name} by {largest:.1e} of the largest "
                f"value, where at most {AGREEMENT:.0e} is rounding."
            )
        differences[other.name] = float(f"{largest:.1e}")
    return differences


def _difference(value: Any, expected: Any) -> float:
    """The largest difference, relative to the largest value; infinite for what is not finite."""
    value, expected = _array(value), _array(expected)
    difference = float(np.abs(value - expected).max() / np.abs(expected).max())
    return difference if np.isfinite(difference) else np.inf


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _saved(competitor: Competitor, size: Size) -> float:
    assert competitor.saving is not None
    return round(saved_bytes(competitor.saving, competitor.given) / (4 * size.values), 2)
