"""The command line of the experiments."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from gatedrnn.data.sources import DataError
from gatedrnn.experiments.options import ExperimentError, Options
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
from gatedrnn.experiments.registry import Experiment, experiment_names, load_experiment
from gatedrnn.training import CheckpointError, NonFiniteError

_EXPECTED_ERRORS = (ExperimentError, DataError, CheckpointError, NonFiniteError, OSError)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 for an error, 130 for Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except KeyboardInterrupt:
        print(
            "\nInterrupted; finished runs and checkpoints are kept, and the same command goes on "
            "from there.",
            file=sys.stderr,
        )
        return 130
    except _EXPECTED_ERRORS as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gatedrnn.experiments",
        description="Run the course's recorded comparisons, or show their records.",
    )
    commands = parser.add_subparsers(required=True, metavar="list | run | show")
    listing = commands.add_parser("list", help="name the experiments and their records")
    listing.set_defaults(command=_list)
    running = commands.add_parser("run", help="run an experiment and write its record")
    running.set_defaults(command=_run)
    running.add_argument("name")
    running.add_argument("--seeds", type=_positive, default=5, help="number of seeds (default 5)")
    running.add_argument("--threads", type=_positive, default=1, help="threads a run (default 1)")
    running.add_argument(
        "--jobs",
        type=_positive,
        default=min(2, os.cpu_count() or 1),
        help="runs at the same time (default 2, or 1 on one core)",
    )
    running.add_argument("--quick", action="store_true", help="a trial of seconds, kept in build/")
    showing = commands.add_parser("show", help="print what a record says")
    showing.set_defaults(command=_show)
    showing.add_argument("name")
    for command in (listing, running, showing):
        command.add_argument(
            "--out", type=Path, help=f"folder of the records (default {RESULTS.as_posix()})"
        )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _list(parsed: argparse.Namespace) -> None:
    folder = _records_folder(parsed)
    for name in experiment_names():
        path = folder / f"{name}.json"
        state = f"recorded {read_record(path)['date']}" if path.exists() else "no record yet"
        print(f"{name}: {load_experiment(name).TITLE} ({state})")


def _show(parsed: argparse.Namespace) -> None:
    experiment = load_experiment(parsed.name)
    record = read_record(_records_folder(parsed) / f"{parsed.name}.json")
    _print(experiment, record)


def _run(parsed: argparse.Namespace) -> None:
    experiment = load_experiment(parsed.name)
    work = _work_folder(parsed)
    jobs = min(parsed.jobs, experiment.MAX_JOBS)
    options = Options(work, parsed.seeds, parsed.threads, jobs, parsed.quick)
    # A trial must not take the place of a record that the book prints.
    folder = work if parsed.quick and parsed.out is None else _records_folder(parsed)
    wall, load = time.perf_counter(), load_average()
    outcome = experiment.run(options)
    record = {
        "schema": SCHEMA,
        "experiment": parsed.name,
        "title": experiment.TITLE,
        "command": _command(parsed),
        "date": now(),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "threads": parsed.threads,
        "jobs": jobs,
        "quick": parsed.quick,
        "load_average_at_start": load,
        **environment(),
        **outcome,
    }
    path = folder / f"{parsed.name}.json"
    _keep_previous(path, work)
    write_record(path, record)
    _print(experiment, record)
    print(f"Record: {path}")


def _print(experiment: Experiment, record: dict[str, Any]) -> None:
    trial = " A trial (--quick): its numbers mean nothing." if record["quick"] else ""
    print(f"{record['title']}.{trial}")
    print(
        f"{record['command']}\n{record['date']}, {record['device']}, "
        f"PyTorch {record['versions']['torch']}, {record['jobs']} at a time with "
        f"{record['threads']} thread(s), {record['wall_seconds']:.0f} s\n"
    )
    print(experiment.table(record["results"]))


def _keep_previous(path: Path, work: Path) -> None:
    if path.exists():
        previous = read_record(path)
        kept = work / f"previous-{previous['date'].replace(':', '')}.json"
        write_record(kept, previous)
        print(f"The record of {previous['date']} is kept as {kept}.")


def _records_folder(parsed: argparse.Namespace) -> Path:
    if parsed.out is not None:
        return parsed.out
    root = course_root()
    if root is None:
        raise ExperimentError(
            f"No folder {RESULTS.as_posix()} is here or above; go to the course's folder, or give "
            "one with --out."
        )
    return root / RESULTS


def _work_folder(parsed: argparse.Namespace) -> Path:
    root = course_root()
    base = root / "build" if root is not None else _records_folder(parsed) / "build"
    return base / "experiments" / (f"{parsed.name}-quick" if parsed.quick else parsed.name)


def _command(parsed: argparse.Namespace) -> str:
    words = ["python -m gatedrnn.experiments run", parsed.name]
    defaults = _parser().parse_args(["run", parsed.name])
    for option in ("seeds", "threads", "jobs"):
        if getattr(parsed, option) != getattr(defaults, option):
            words.append(f"--{option} {getattr(parsed, option)}")
    return " ".join([*words, "--quick"] if parsed.quick else words)
