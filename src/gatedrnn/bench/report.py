"""What a record of the benchmark says: tables, and each target with what was reached."""

from collections.abc import Iterator
from typing import Any

Results = dict[str, Any]

# Ratios to torch.nn.GRU in a training step, by number of threads and size.
TRAINING = {
    1: {
        (32, 100, 64, 128): 0.75,
        (64, 256, 128, 256): 0.85,
        (1, 1000, 64, 128): 0.27,
        (128, 64, 512, 512): 0.97,
    },
    2: {
        (32, 100, 64, 128): 0.60,
        (64, 256, 128, 256): 0.75,
        (1, 1000, 64, 128): 0.25,
        (128, 64, 512, 512): 0.93,
    },
}
FORWARD = {
    (32, 100, 64, 128): 0.90,
    (64, 256, 128, 256): 1.10,
    (1, 1000, 64, 128): 0.90,
    (128, 64, 512, 512): 1.10,
}
NUMPY = {(32, 100, 64, 128): 0.85, (1, 1000, 64, 128): 0.30}
MINIMAL = 0.36
SAVED = 5.5
RECOMPUTING_SAVED, RECOMPUTING_TIME = 1.5, 1.5
IMPORT_SECONDS = 0.1

_TITLES = {
    "gru": "GRU",
    "lstm": "LSTM",
    "minimal": "minimal cells, against the GRU as a library layer and as a plain loop",
    "time": "GRU over longer sequences",
    "hidden": "GRU with more hidden units",
}


def table(results: Results) -> str:
    """All sections, a line for each competitor, and the targets."""
    lines: list[str] = []
    for section, title in _TITLES.items():
        for case in results.get(section, []):
            lines += [f"{title}, (B, T, D, H) = {_sizes(case)}", *_rows(case), ""]
            lines += [f"  not here: {name}: {why}" for name, why in case["absent"].items()]
    if "imports" in results:
        lines.append("Processor seconds to import")
        lines += [f"  {k:28} {v}" for k, v in results["imports"].items() if k in _IMPORTS]
        lines.append("")
    lines += ["Targets", *(f"  {target_line(t)}" for t in results.get("targets", []))]
    return "\n".join(lines)


_IMPORTS = (
    "numpy",
    "gatedrnn.equations",
    "torch",
    "gatedrnn",
    "gatedrnn with its layers",
    "added to torch",
    "equations import torch",
)


def _sizes(case: dict[str, Any]) -> tuple[int, ...]:
    return tuple(case["size"][letter] for letter in "BTDH")


def _rows(case: dict[str, Any]) -> Iterator[str]:
    yield (
        f"  {'':34}{'forward ms':>11} {'ratio':>6} {'95 %':>13}"
        f"{'training ms':>13} {'ratio':>6} {'95 %':>13}{'kept/TBH':>10}"
    )
    for row in case["competitors"]:
        cells = "".join(_cell(row.get(what)) for what in ("forward", "training"))
        saved = f"{row['saved']:10.2f}" if "saved" in row else ""
        compiled = f"  compiled in {row['compile_seconds']} s" if "compile_seconds" in row else ""
        yield f"  {row['name']:34}{cells}{saved:>10}{compiled}"


def _cell(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return f"{'':33}"
    ratio = measured["ratio"]
    interval = f"[{ratio['low']:.2f}, {ratio['high']:.2f}]"
    return f"{1e3 * measured['seconds']['median']:11.2f} {ratio['median']:6.2f} {interval:>13} "


def targets(results: Results, threads: int) -> list[dict[str, Any]]:
    """Every target whose numbers the record holds: what, at most how much, how much, and met."""
    return [
        {
            "what": what,
            "at_most": limit,
            "reached": round(reached, 3),
            "met": reached <= limit,
        }
        for what, limit, reached in _targets(results, threads)
    ]


def target_line(target: dict[str, Any]) -> str:
    """A target in words."""
    verdict = "met" if target["met"] else "MISSED"
    return f"{target['what']}: {target['reached']:.3f}, at most {target['at_most']:.2f}: {verdict}"


def _targets(results: Results, threads: int) -> Iterator[tuple[str, float, float]]:
    for case in results.get("gru", []):
        yield from _targets_of_size(case, threads)
    for section in ("time", "hidden"):
        for case in results.get(section, []):
            reached = ratio(case, "ours, fused", "training")
            yield f"growth, training, {_sizes(case)}", 1.0, reached
    for case in results.get("minimal", []):
        if case["size"]["B"] >= 32:
            reached = ratio(case, "minGRU, fused", "training")
            yield f"minGRU, training, {_sizes(case)}", MINIMAL, reached
    if "imports" in results:
        yield "seconds added to import torch", IMPORT_SECONDS, results["imports"]["added to torch"]


def _targets_of_size(case: dict[str, Any], threads: int) -> Iterator[tuple[str, float, float]]:
    size = _sizes(case)
    fused = "ours, fused"
    if size in TRAINING.get(threads, {}):
        yield f"training, {size}", TRAINING[threads][size], ratio(case, fused, "training")
    if size in FORWARD:
        yield f"forward, {size}", FORWARD[size], ratio(case, fused, "forward")
    if size in NUMPY and threads == 1:
        yield f"NumPy, training, {size}", NUMPY[size], ratio(case, "NumPy, fused", "training")
    if size in FORWARD:
        again = f"{fused}, recomputing"
        yield f"values kept / TBH, {size}", SAVED, find(case, fused)["saved"]
        yield f"kept when recomputing, {size}", RECOMPUTING_SAVED, find(case, again)["saved"]
        slower = ratio(case, again, "training") / ratio(case, fused, "training")
        yield f"recomputing / keeping, training, {size}", RECOMPUTING_TIME, slower


def find(case: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of a competitor; raises KeyError when it took no part."""
    for row in case["competitors"]:
        if row["name"] == name:
            return row
    raise KeyError(name)


def ratio(case: dict[str, Any], name: str, what: str) -> float:
    """The median ratio of a competitor to the reference."""
    return float(find(case, name)[what]["ratio"]["median"])
