"""Records: what was run, where, how long it took and what came out, one JSON file each."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gatedrnn.experiments.options import ExperimentError
from gatedrnn.training.files import write_atomically

SCHEMA = 1
RESULTS = Path("book", "results")


def course_root(start: Path | None = None) -> Path | None:
    """Return the nearest folder, from `start` upwards, that holds book/results, or None."""
    start = (start or Path.cwd()).resolve()
    return next((folder for folder in [start, *start.parents] if (folder / RESULTS).is_dir()), None)


def environment() -> dict[str, Any]:
    """Return the device, the versions and the state of the machine, for a record."""
    return {
        "device": f"CPU: {_processor()}",
        "cores": os.cpu_count(),
        "load_average": load_average(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("gatedrnn", "numpy", "torch")},
        },
        "commit": _commit(),
    }


def load_average() -> list[float] | None:
    """Return the machine's load over 1, 5 and 15 minutes, or None where it is not known."""
    if not hasattr(os, "getloadavg"):
        return None
    return [round(value, 2) for value in os.getloadavg()]


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, whole or not at all; raises ExperimentError when it cannot be."""
    try:
        write_atomically(path, (_layout(record) + "\n").encode("utf-8"))
    except OSError as error:
        raise ExperimentError(
            f"{path} could not be written ({error.strerror}); free some space or choose a folder "
            "that can be written, and run the same command again."
        ) from error


def read_record(path: Path) -> dict[str, Any]:
    """Read a record; raises ExperimentError when there is none or it is no whole record."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ExperimentError(
            f"There is no record {path}; make it with: "
            f"python -m gatedrnn.experiments run {path.stem}."
        ) from error
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read as a record ({error}).") from error
    if record.get("schema") != SCHEMA:
        raise ExperimentError(
            f"{path} has schema {record.get('schema')}, this program reads schema {SCHEMA}; "
            "run the experiment again."
        )
    return record


def now() -> str:
    """Return the date and time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _layout(value: Any, indent: str = "") -> str:
    """Return JSON with a line for each entry, and a list of plain values on one line."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{_plain(str(key))}: {_layout(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(i, (dict, list, tuple)) for i in value):
        rows = [inner + _layout(item, inner) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the source, with "+" when files differ from it, or None."""
    here = Path(__file__).parents[1]
    try:
        head = _git(here, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
