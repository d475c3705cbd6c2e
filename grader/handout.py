"""What a student gets: the released notebooks and the course package in one zip, nothing else."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from grader import units
from grader.classroom import ClassFault, Classroom
from grader.files import sweep, write_bytes

#: What the package is made from; solutions, tests and the book are not among it.
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src/gatedrnn", "grader")
# The first moment that a zip can hold: the same content is the same file on every day.
_DATE = (1980, 1, 1, 0, 0, 0)
_BUILD = """\
import sys
from setuptools import build_meta
print(build_meta.build_wheel(sys.argv[1]))
"""


def hand_out(room: Classroom) -> Path:
    """Write hand-out.zip for all released units; its path.

    Raises ClassFault when the package cannot be made.
    """
    members = {
        f"notebooks/{slug}/{slug}.ipynb": (room.root / "release" / slug / f"{slug}.ipynb")
        for slug in room.released()
    }
    made = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(made, "w") as archive:
        wheel = course_package(Path(folder))
        for name, path in {wheel.name: wheel, **members}.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    target = room.root / "hand-out.zip"
    sweep(target.parent)
    write_bytes(target, made.getvalue())
    return target


def course_package(folder: Path) -> Path:
    """Build the course's wheel in `folder`, without a network; raises ClassFault."""
    if not (units.ROOT / "pyproject.toml").is_file():
        raise ClassFault(
            "The course package is made from the course's repository, and this program was "
            "installed without it: run .venv/bin/grader of the repository."
        )
    tree = folder / "tree"
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in _SOURCES:
        source, target = units.ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=skip)
        else:
            shutil.copyfile(source, target)
    out = folder / "wheel"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(out)], cwd=tree, capture_output=True, text=True
    )
    built = list(out.glob("*.whl"))
    if done.returncode != 0 or len(built) != 1:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise ClassFault(f"The course package could not be built: {last}")
    return built[0]
