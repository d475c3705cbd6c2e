"""The command line of the benchmark."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from gatedrnn.bench.report import table, targets
from gatedrnn.experiments.options import ExperimentError
from gatedrnn.experiments.records import (
    RESULTS,
    SCHEMA,
    course_root,
    environment,
    load_average,
    now,
    read_record,
    write_record,
)
from gatedrnn.experiments.runs import source_digest

SECTIONS = ("gru", "lstm", "minimal", "time", "hidden", "imports")
TITLE = "Time and memory of recurrent layers, ours and others"

# At most so many rounds, at least so many, and about so many seconds for a pass of a case.
FULL = {"rounds": 25, "least": 5, "seconds": 40, "import_rounds": 9}
QUICK = {"rounds": 3, "least": 2, "seconds": 1, "import_rounds": 1}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 for an error, 130 for Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.show:
            for threads in parsed.threads:
                _print(read_record(_path(parsed, threads)))
            return 0
        for threads in parsed.threads:
            _run(parsed, threads)
    except KeyboardInterrupt:
        print("\nInterrupted; finished parts are kept, and the same command goes on from there.")
        return 130
    except (ExperimentError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gatedrnn.bench",
        description="Time our recurrent layers and their peers, and write a record for each number "
        "of threads.",
    )
    parser.add_argument("--show", action="store_true", help="print the records, run nothing")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, min(2, os.cpu_count() or 1)}),
        help="numbers of threads, a record for each (default 1 and 2)",
    )
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a trial of a minute, kept in build/")
    parser.add_argument("--out", type=Path, help=f"folder of the records (default {RESULTS})")
    return parser


def _run(parsed: argparse.Namespace, threads: int) -> None:
    path = _path(parsed, threads)
    work = _work(parsed) / path.stem
    work.mkdir(parents=True, exist_ok=True)
    wall, load = time.perf_counter(), load_average()
    parts = list(_parts(parsed, threads))
    results: dict[str, Any] = {}
    for number, part in enumerate(parts, 1):
        kept = work / _file_name(part)
        print(f"[{number}/{len(parts)}] {threads} thread(s), {_label(part)}", flush=True)
        if not kept.exists():
            _run_part(part, kept)
        outcome = json.loads(kept.read_text(encoding="utf-8"))
        if part["section"] == "imports":
            results["imports"] = outcome
        else:
            results.setdefault(part["section"], []).append(outcome)
    results["targets"] = targets(results, threads)
    record = {
        "schema": SCHEMA,
        "experiment": path.stem,
        "title": TITLE,
        "command": _command(parsed),
        "date": now(),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "threads": threads,
        "jobs": 1,
        "quick": parsed.quick,
        "load_average_at_start": load,
        **environment(),
        **({"device": _gpu()} if parsed.device == "cuda" else {}),
        "configuration": {
            "layers": "one layer, one direction, time first, float32, x needs no gradient",
            "clock": "events" if parsed.device == "cuda" else "process" if threads == 1 else "wall",
            **(QUICK if parsed.quick else FULL),
        },
        "seeds": [0],
        "results": results,
    }
    _keep_previous(path, work)
    write_record(path, record)
    for part in parts:
        (work / _file_name(part)).unlink()
    _print(record)
    print(f"Record: {path}")


def _file_name(part: dict[str, Any]) -> str:
    """A name that changes with the case, the code and PyTorch: an old time is never taken again."""
    decisive = json.dumps([part, source_digest(), metadata.version("torch")], sort_keys=True)
    digest = hashlib.sha256(decisive.encode()).hexdigest()
    return f"{part['section']}-{digest[:10]}.json"


def _parts(parsed: argparse.Namespace, threads: int) -> Any:
    from gatedrnn.bench.parts import HIDDENS, SIZES, TIMES
    from gatedrnn.bench.parts import QUICK as SMALL

    sizes = {"time": TIMES, "hidden": HIDDENS}
    for section in parsed.sections:
        if section == "imports":
            chosen: Any = [None]
        else:
            chosen = SMALL if parsed.quick else sizes.get(section, SIZES)
        for size in chosen:
            yield {
                "section": section,
                "size": size and asdict(size),
                "device": parsed.device,
                "threads": threads,
                "settings": QUICK if parsed.quick else FULL,
            }


def _label(part: dict[str, Any]) -> str:
    size = part["size"]
    return part["section"] + ("" if size is None else f" {tuple(size.values())}")


def _run_part(part: dict[str, Any], path: Path) -> None:
    """A process of its own: libraries read their numbers of threads when they are loaded."""
    threads = str(part["threads"])
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    settings = {
        **{name: threads for name in names},
        "KERAS_BACKEND": "torch",
        # So that the time to compile is the time to compile.
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "gatedrnn.bench.worker", json.dumps(part), str(path)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        *_, reason = done.stderr.strip().splitlines() or ["no reason given"]
        raise ExperimentError(
            f"The part {_label(part)} failed ({reason}); finished parts are kept."
        )


def _keep_previous(path: Path, work: Path) -> None:
    if path.exists():
        previous = read_record(path)
        write_record(work / f"previous-{previous['date'].replace(':', '')}.json", previous)


def _print(record: dict[str, Any]) -> None:
    trial = " A trial (--quick): its numbers mean nothing." if record["quick"] else ""
    print(
        f"{record['title']}.{trial}\n{record['command']}\n{record['date']}, {record['device']}, "
        f"PyTorch {record['versions']['torch']}, {record['threads']} thread(s), "
        f"{record['wall_seconds']:.0f} s, load at start {record['load_average_at_start']}\n"
    )
    print(table(record["results"]))


def _path(parsed: argparse.Namespace, threads: int) -> Path:
    name = "bench_cuda" if parsed.device == "cuda" else f"bench_cpu_{threads}"
    if parsed.out is not None:
        return parsed.out / f"{name}.json"
    root = course_root()
    if root is None:
        raise ExperimentError(
            f"No folder {RESULTS.as_posix()} is here or above; go to the course's folder, or give "
            "one with --out."
        )
    # A trial must not take the place of a record that the book prints.
    return (_work(parsed) if parsed.quick else root / RESULTS) / f"{name}.json"


def _work(parsed: argparse.Namespace) -> Path:
    root = course_root()
    base = root / "build" if root is not None else parsed.out / "build"
    return base / ("bench-quick" if parsed.quick else "bench")


def _command(parsed: argparse.Namespace) -> str:
    words = ["python -m gatedrnn.bench"]
    defaults = _parser().parse_args([])
    for option in ("device", "threads", "sections"):
        value = getattr(parsed, option)
        if value != getattr(defaults, option):
            words.append(f"--{option} {' '.join(map(str, value)) if option != 'device' else value}")
    return " ".join([*words, "--quick"] if parsed.quick else words)


def _gpu() -> str:
    import torch

    return f"GPU: {torch.cuda.get_device_name()}"
