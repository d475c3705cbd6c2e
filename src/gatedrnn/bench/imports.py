"""How long importing takes, each time in a fresh interpreter, one after the other in turn."""

import subprocess
import sys
from typing import Any

from gatedrnn.analysis.timing import median_interval

STATEMENTS = {
    "numpy": "import numpy",
    "gatedrnn.equations": "import gatedrnn.equations",
    "torch": "import torch",
    "gatedrnn": "import gatedrnn",
    "gatedrnn with its layers": "from gatedrnn import GRU",
}


def import_times(rounds: int) -> dict[str, Any]:
    """Processor seconds of each import, and what our layers add to torch in the same round."""
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(rounds):
        for name, statement in STATEMENTS.items():
            seconds[name].append(float(_run(f"start = time.process_time(); {statement}")[0]))
    added = [
        ours - torch
        for ours, torch in zip(seconds["gatedrnn with its layers"], seconds["torch"], strict=True)
    ]
    record: dict[str, Any] = {
        name: round(median_interval(values).median, 3) for name, values in seconds.items()
    }
    record["added to torch"] = round(median_interval(added).median, 3)
    record["equations import torch"] = _run("start = 0; import gatedrnn.equations")[1] == "True"
    return record


def _run(statements: str) -> list[str]:
    code = (
        f"import sys, time; {statements}; "
        "print(time.process_time() - start, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()
