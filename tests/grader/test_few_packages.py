"""A notebook's own checks run where only NumPy and pytest are installed beside Jupyter."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement

from grader import units

PROGRAM = """
import importlib.metadata, sys

open_to = set(sys.argv[1:])
elsewhere = {
    module
    for module, packages in importlib.metadata.packages_distributions().items()
    if not open_to & {name.lower() for name in packages}
}
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in elsewhere - {"gatedrnn", "grader"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gate())

from grader import check, hint

import numpy as np

def gru_cell(x, h, params):
    x_r, x_z, x_n = np.split(x @ params["W_ih"].T + params["b_ih"], 3, axis=1)
    h_r, h_z, h_n = np.split(h @ params["W_hh"].T + params["b_hh"], 3, axis=1)
    r, z = (1 / (1 + np.exp(-a)) for a in (x_r + h_r, x_z + h_z))
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h

print(check("gru_cell"))
print(hint("gru_cell"))
"""


def _with_their_needs(names: list[str]) -> set[str]:
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            names += [need.name for need in needs if not need.marker or need.marker.evaluate()]
    return found


def test_a_check_needs_what_its_extra_names() -> None:
    project = tomllib.loads((units.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extra = [Requirement(line).name for line in project["optional-dependencies"]["check"]]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *_with_their_needs(["numpy", *extra])],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "8 of 8 points" in done.stdout and "Hint 1 of" in done.stdout


def test_binder_installs_extras_that_there_are() -> None:
    project = tomllib.loads((units.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = re.findall(r'"\.\[(\w+)\]"', (units.ROOT / ".binder" / "postBuild").read_text())
    assert wanted in project["optional-dependencies"]
