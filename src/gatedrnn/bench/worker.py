"""One part of the benchmark in a process of its own, whose threads are fixed before it begins."""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Run the part described by a JSON text, and write its result to a file."""
    part: dict[str, Any] = json.loads(arguments[0])
    if part["device"] == "cpu" and part["threads"] == 1 and hasattr(os, "sched_setaffinity"):
        # Libraries without a setting for it take as many threads as there are processors.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # Only now: these imports start thread pools.
    from gatedrnn.bench.case import Size
    from gatedrnn.bench.imports import import_times
    from gatedrnn.bench.parts import run_case
    from gatedrnn.experiments.records import load_average, now, write_record

    before = load_average()
    if part["section"] == "imports":
        result = import_times(part["settings"]["import_rounds"])
    else:
        result = run_case(
            part["section"], Size(**part["size"]), part["device"], part["threads"], part["settings"]
        )
    machine = {"date": now(), "load_average": [before, load_average()]}
    write_record(Path(arguments[1]), {**result, **machine})


if __name__ == "__main__":
    main(sys.argv[1:])
