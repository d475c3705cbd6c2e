"""tasks.py: one sentence for each fault, and nothing stale or half-made is trusted."""

from __future__ import annotations

import ast
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
PIN = "2.13.0"


def load(root: Path) -> ModuleType:
    """Import the tasks.py that lies in root, so that root is its checkout."""
    spec = importlib.util.spec_from_file_location("tasks_under_test", root / "tasks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add_package(tasks: ModuleType, name: str, version: str, content: str = "x = 1\n") -> Path:
    """Put a package with its record into the environment, as pip leaves one."""
    site = tasks.site_packages()
    module, info = site / f"{name}.py", site / f"{name}-{version}.dist-info"
    module.write_text(content)
    info.mkdir(exist_ok=True)
    (info / "RECORD").write_text(f"{name}.py,sha256=x,{len(content)}\n{info.name}/RECORD,,\n")
    return module


class Checkout:
    """A small checkout whose programs are stand-ins that note what was asked of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copy(REPOSITORY / "tasks.py", root)
        self.write("constraints.txt", f"numpy==2.0.0\ntorch=={PIN}\n")
        self.write("pyproject.toml", '[project]\nname = "small"\nversion = "0"\n')
        self.write("src/gatedrnn/__init__.py", "")
        self.write("solutions/gru.py", "answer = 1\n")
        self.write("grader/__init__.py", "")
        self.write("book/intro.md", "# Start\n")
        self.write("tests/test_nothing.py", "")
        self.write("_config.yml", "")
        self.write("_toc.yml", "")
        self.write(".venv/pyvenv.cfg", "home = somewhere\n")
        self.tasks = load(root)
        (root / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
        self.calls: list[str] = []
        self.failing: dict[str, str] = {}
        self.tasks.call = self.call
        self.tasks.venv_python = lambda: "3.11"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, command: list[str], log: Path, show: bool = False, env: object = None) -> int:
        """Stand in for running a program: make what it would make, or fail as told."""
        line = " ".join(command)
        program = next(
            name
            for name in (
                "-m venv",
                "pip install",
                "grader notebooks --check",
                "grader notebooks",
                "grader demo",
                "jupyter-book",
                "ruff",
                "mypy",
                "pytest",
            )
            if name in line
        )
        self.calls.append(program)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"$ {line}\n{self.failing.get(program, '3 passed in 0.1s')}\n")
        if program == "pip install":
            add_package(self.tasks, "torch", PIN)
        if program == "grader notebooks":
            source = (self.root / "solutions/gru.py").read_text()
            self.write("notebooks/gru/gru.ipynb", json.dumps({"cells": [source]}))
        if program == "grader demo":
            table = "student  gru\n-------  ---\nada      9/9\n\nwhat was difficult\n"
            log.write_text(f"$ {line}\na warning\n{table}")
            self.write("build/demo-class/gradebook.db", "marks")
            self.write("build/demo-class/this-is-the-demo-class.txt", "")
        if program == "jupyter-book":
            self.write("build/_build/html/index.html", (self.root / "book/intro.md").read_text())
            self.write("build/_build/.jupyter_cache/global.db", "outputs of cells")
        return int(program in self.failing)

    def do(self, *arguments: str) -> list[str]:
        """Run a task as the command line would; return the programs that it started."""
        self.calls.clear()
        self.tasks.environment_key.cache_clear()
        self.status = self.tasks.main(list(arguments))
        return list(self.calls)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.delenv("COURSE_TORCH", raising=False)
    root = tmp_path / "course"
    root.mkdir()
    return Checkout(root)


def one_sentence(text: str, *words: str) -> None:
    """Assert that the last line of text is one sentence with these words, and no traceback."""
    assert "Traceback" not in text
    last = text.strip().splitlines()[-1]
    assert last.endswith(".")
    for word in words:
        assert word in last


COURSE = ["pip install", "grader notebooks", "jupyter-book", "grader demo"]


# ---------------------------------------------------------------- what is up to date


def test_second_run_does_nothing(checkout: Checkout, capsys: pytest.CaptureFixture) -> None:
    assert checkout.do("course") == COURSE
    assert checkout.do("course") == []
    assert checkout.status == 0
    said = capsys.readouterr().out
    assert str(checkout.root / "build/_build/html/index.html") in said
    assert re.search(r"book +up to date", said)
    assert said.count("ada      9/9") == 2 and "what was difficult" not in said


def test_force_does_all_but_the_installation_again(checkout: Checkout) -> None:
    checkout.do("course")
    assert checkout.do("course", "--force") == COURSE[1:]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("book/intro.md", ["jupyter-book"]),
        ("_toc.yml", ["jupyter-book"]),
        ("src/gatedrnn/__init__.py", COURSE[1:]),
        ("constraints.txt", ["pip install"]),
        ("solutions/gru.py", COURSE[1:]),
    ],
)
def test_a_change_redoes_what_depends_on_it(
    checkout: Checkout, changed: str, again: list[str]
) -> None:
    checkout.do("course")
    with (checkout.root / changed).open("a") as file:
        file.write("\n# changed\n")
    assert checkout.do("course") == again
    assert checkout.do("course") == []


@pytest.mark.parametrize(
    "output", ["build/_build/html/index.html", "build/demo-class/gradebook.db"]
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("other")])
def test_a_damaged_output_is_made_again(checkout: Checkout, output: str, damage) -> None:
    checkout.do("course")
    good = (checkout.root / output).read_text()
    damage(checkout.root / output)
    assert len(checkout.do("course")) == 1
    assert (checkout.root / output).read_text() == good


def test_outputs_of_cells_outlive_text_but_not_source_or_records(checkout: Checkout) -> None:
    cache = checkout.root / "build/_build/.jupyter_cache"
    checkout.do("book")

    def kept_after(name: str) -> bool:
        (cache / "mark").write_text("")
        with (checkout.root / name).open("a") as file:
            file.write("\n")
        assert checkout.do("book").count("jupyter-book") == 1
        return (cache / "mark").exists()

    checkout.write("book/results/run.json", "{}")
    checkout.do("book")
    assert kept_after("book/intro.md")
    assert not kept_after("src/gatedrnn/__init__.py")
    assert not kept_after("book/results/run.json")
    assert kept_after("grader/__init__.py")
    checkout.write("book/grading.md", "```\nfrom grader import check\n```\n")
    checkout.do("book")
    assert not kept_after("grader/__init__.py")


def test_pages_whose_text_is_the_same_are_kept_until_the_whole_book_is_tested(
    checkout: Checkout,
) -> None:
    mark = checkout.root / "build/_build/.doctrees/mark"

    def kept_after(name: str, task: str = "book") -> bool:
        mark.parent.mkdir(exist_ok=True)
        mark.write_text("")
        with (checkout.root / name).open("a") as file:
            file.write("\n")
        assert checkout.do(task).count("jupyter-book") == 1
        return mark.exists()

    checkout.write("book/_ext/course.py", "")
    checkout.do("book")
    assert kept_after("book/intro.md")
    assert kept_after("book/intro.md")
    assert not kept_after("book/_ext/course.py")
    assert not kept_after("_config.yml")
    assert kept_after("book/intro.md")
    assert checkout.do("test").count("jupyter-book") == 1 and not mark.exists()
    assert checkout.do("test").count("jupyter-book") == 0
    assert checkout.do("book") == []
    assert kept_after("book/intro.md")
    checkout.failing["jupyter-book"] = "book/intro.md:3: WARNING: unknown label"
    assert kept_after("book/intro.md")
    checkout.failing.clear()
    assert not kept_after("book/intro.md")  # after a build that failed nothing is kept


def test_a_failed_build_is_not_trusted(checkout: Checkout, capsys: pytest.CaptureFixture) -> None:
    checkout.failing["jupyter-book"] = "book/intro.md:3: WARNING: unknown label"
    checkout.do("book")
    assert checkout.status == 1
    said = capsys.readouterr()
    assert "unknown label" in said.out
    one_sentence(said.err, "book", "build/logs/book.log")
    checkout.failing.clear()
    assert checkout.do("book") == ["jupyter-book"]


def test_a_failing_page_is_told_without_tracebacks() -> None:
    # Lines of a real build's log, shortened.
    log = """\
[IPKernelApp] WARNING | Kernel is running over TCP without encryption.
\x1b[91m/course/book/gru.md: WARNING: Executing notebook failed: CellExecutionError
Traceback (most recent call last):
  File "/course/.venv/lib/python3.11/site-packages/nbclient/client.py", line 918, in _check
nbclient.exceptions.CellExecutionError: An error occurred while executing the following cell:
\x1b[31mFileNotFoundError\x1b[39m                         Traceback (most recent call last)
\x1b[31mFileNotFoundError\x1b[39m: there is no record tinyshakespeare_cells.json
/course/book/rnn.md:12: WARNING: undefined label: 'eq-none' [ref.equation]
Traceback (most recent call last):
  File "/course/.venv/bin/jupyter-book", line 8, in <module>
RuntimeError:\x20
There was an error in building your book. Look above for the cause.
"""
    assert load(REPOSITORY).book_faults(log.splitlines()) == [
        "/course/book/gru.md: WARNING: Executing notebook failed: CellExecutionError",
        "FileNotFoundError: there is no record tinyshakespeare_cells.json",
        "/course/book/rnn.md:12: WARNING: undefined label: 'eq-none' [ref.equation]",
    ]


def test_without_a_book_its_tests_are_left_out(checkout: Checkout) -> None:
    tests_log = checkout.root / "build/logs/tests.log"
    checkout.failing["jupyter-book"] = "WARNING: unknown label"
    assert checkout.do("test")[-1] == "pytest" and checkout.status == 1
    assert "--ignore=tests/book" in tests_log.read_text()
    checkout.failing.clear()
    assert checkout.do("test") == ["jupyter-book", "pytest"] and checkout.status == 0
    assert "--ignore" not in tests_log.read_text()


def test_a_stopped_build_is_not_trusted(checkout: Checkout) -> None:
    def stop(*_: object, **__: object) -> int:
        checkout.write("build/_build/html/index.html", "half of a page")
        raise KeyboardInterrupt

    checkout.do("notebooks")
    checkout.tasks.call = stop
    checkout.do("book")
    assert checkout.status == 130
    checkout.tasks.call = checkout.call
    assert checkout.do("book") == ["jupyter-book"]
    assert (checkout.root / "build/_build/html/index.html").read_text() == "# Start\n"


def test_all_checks_run_and_all_failures_are_told(
    checkout: Checkout, capsys: pytest.CaptureFixture
) -> None:
    checks = ["ruff", "ruff", "mypy", "grader notebooks --check", "jupyter-book", "pytest"]
    checkout.failing = {"mypy": "error: wrong type", "grader notebooks --check": "gru differs"}
    assert checkout.do("test") == ["pip install", *checks]
    assert checkout.status == 1
    said = capsys.readouterr()
    one_sentence(said.err, "python tasks.py notebooks")
    assert "\nmypy found faults" in said.err and re.search(r"types +FAILED", said.out)
    checkout.failing.clear()
    assert checkout.do("test") == ["mypy", "grader notebooks --check"]
    assert checkout.do("test") == []
    assert "tests: up to date: 3 passed" in capsys.readouterr().out
    checkout.write("tests/test_nothing.py", "# changed\n")
    assert "pytest" in checkout.do("test")


# ---------------------------------------------------------------- nothing of a person's is lost


def test_a_notebook_that_a_person_edited_is_kept(
    checkout: Checkout, capsys: pytest.CaptureFixture
) -> None:
    checkout.do("notebooks")
    notebook = checkout.root / "notebooks/gru/gru.ipynb"
    notebook.write_text("my answer")
    checkout.do("course")
    saved = list((checkout.root / "my_work/gru").glob("gru.saved-*.ipynb"))
    assert [path.read_text() for path in saved] == ["my answer"]
    assert "answer = 1" in notebook.read_text()
    assert "kept as my_work/gru/gru.saved-" in capsys.readouterr().out


def test_new_sources_leave_no_saved_copies(checkout: Checkout) -> None:
    checkout.do("notebooks")
    checkout.write("solutions/gru.py", "answer = 2\n")
    checkout.do("notebooks")
    assert not (checkout.root / "my_work").exists()


def test_lab_opens_a_copy_and_never_overwrites_it(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr(checkout.tasks.subprocess, "call", lambda c, **_: opened.append(c) or 0)
    checkout.do("lab")
    copy = checkout.root / "my_work/gru/gru.ipynb"
    copy.write_text("my answer")
    checkout.write("solutions/gru.py", "answer = 2\n")
    checkout.do("lab", "--", "--no-browser")
    assert copy.read_text() == "my answer"
    assert f"--ServerApp.root_dir={checkout.root / 'my_work'}" in opened[1]
    assert opened[1][-1] == "--no-browser"


def test_no_link_of_a_copy_leads_out_of_its_folder(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout.tasks.subprocess, "call", lambda *_, **__: 0)
    checkout.write("solutions/gru.py", "Read [Summary](../../book/gru.md#summary).\n")
    monkeypatch.delenv("GATEDRNN_BOOK", raising=False)
    checkout.do("lab")
    copy = checkout.root / "my_work/gru/gru.ipynb"
    assert "Read *Summary* in the chapter *The GRU*." in copy.read_text()
    copy.unlink()
    monkeypatch.setenv("GATEDRNN_BOOK", "https://example.org/book/")
    checkout.do("lab")
    assert "Read [Summary](https://example.org/book/gru.html#summary)." in copy.read_text()


def test_clean_keeps_classes_work_and_what_links_point_to(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkout.do("course")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (checkout.root / "build/link").symlink_to(outside)
    gradebook = checkout.write("build/autumn/2026/gradebook.db", "marks")
    half_made = checkout.write("build/.demo-class.x/class/this-is-the-demo-class.txt", "").parent
    (half_made / "gradebook.db").write_text("")
    answer = checkout.write("my_work/gru/gru.ipynb", "my answer")
    checkout.do("clean")
    assert checkout.status == 0
    assert (outside / "file").read_text() == "mine"
    assert gradebook.exists() and answer.exists() and checkout.tasks.VENV.exists()
    assert not checkout.tasks.DEMO.exists() and not half_made.exists()
    assert not checkout.tasks.HTML.exists()
    assert "a class lies in it" in capsys.readouterr().out
    shutil.rmtree(checkout.root / "build/autumn")
    checkout.do("clean", "--all")
    assert not (checkout.root / "build").exists() and not checkout.tasks.VENV.exists()
    assert answer.exists()


def test_the_sign_of_a_demo_class_is_the_graders() -> None:
    source = (REPOSITORY / "grader/demo.py").read_text()
    assert re.search(r'^SIGN = "(.+)"$', source, re.MULTILINE)[1] == load(REPOSITORY).DEMO_SIGN


def test_clean_keeps_a_class_with_the_name_of_the_demo(checkout: Checkout) -> None:
    gradebook = checkout.write("build/demo-class/gradebook.db", "marks")
    checkout.do("clean")
    assert gradebook.exists()


def test_clean_leaves_a_venv_folder_that_is_none(
    checkout: Checkout, capsys: pytest.CaptureFixture
) -> None:
    (checkout.tasks.VENV / "pyvenv.cfg").unlink()
    checkout.do("clean", "--all")
    assert checkout.status == 1 and checkout.tasks.VENV.exists()
    one_sentence(capsys.readouterr().err, "remove it by hand")


# ---------------------------------------------------------------- the environment


def remake(checkout: Checkout) -> list[str]:
    """Let the making of .venv be noted instead of done."""
    made: list[str] = []
    checkout.tasks.make_venv = lambda: made.append("venv")
    return made


def test_a_whole_environment_without_stamp_is_completed(checkout: Checkout) -> None:
    made = remake(checkout)
    add_package(checkout.tasks, "numpy", "2.0.0")
    assert checkout.do("notebooks") == ["pip install", "grader notebooks"]
    assert made == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("x")])
def test_a_half_installed_package_means_a_fresh_environment(checkout: Checkout, damage) -> None:
    made = remake(checkout)
    damage(add_package(checkout.tasks, "numpy", "2.0.0"))
    checkout.do("notebooks")
    assert made == ["venv"]


def test_the_real_environment_counts_as_whole() -> None:
    # The records of this very environment: a false alarm would cost every reader minutes.
    tasks = load(REPOSITORY)
    tasks.site_packages = lambda: Path(pytest.__file__).parents[1]
    assert tasks.broken_packages() == []
    assert "pytest-" + pytest.__version__ in tasks.installed_packages()


def test_a_moved_or_dead_environment_is_made_afresh(checkout: Checkout) -> None:
    checkout.do("notebooks")
    made = remake(checkout)
    known = json.loads(checkout.tasks.INSTALLED.read_text())
    checkout.tasks.INSTALLED.write_text(json.dumps(known | {"root": "/elsewhere"}))
    checkout.do("notebooks")
    checkout.tasks.venv_python = lambda: None
    checkout.do("notebooks")
    checkout.tasks.venv_python = lambda: "3.10"
    checkout.do("notebooks")
    assert made == ["venv"] * 3


def test_a_package_taken_away_is_installed_again(checkout: Checkout) -> None:
    checkout.do("notebooks")
    shutil.rmtree(checkout.tasks.site_packages() / f"torch-{PIN}.dist-info")
    assert checkout.do("notebooks")[0] == "pip install"


def test_a_failed_installation_leaves_no_stamp(checkout: Checkout) -> None:
    checkout.failing["pip install"] = "ERROR: something"
    checkout.do("notebooks")
    assert checkout.status == 1
    assert not checkout.tasks.INSTALLED.exists()


def test_wrong_torch(
    checkout: Checkout, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_package(checkout.tasks, "torch", "2.12.1+cu130")
    assert checkout.do("book") == []
    assert checkout.status == 1
    one_sentence(capsys.readouterr().err, "2.12.1+cu130", PIN, "clean --all", "COURSE_TORCH=keep")
    monkeypatch.setenv("COURSE_TORCH", "keep")
    checkout.do("book")
    command = (checkout.root / "build/logs/install.log").read_text().splitlines()[0]
    constraints = (checkout.root / "build/constraints-own-torch.txt").read_text()
    assert "torch==" not in command + constraints and "numpy==2.0.0" in constraints
    # The choice is remembered.
    monkeypatch.delenv("COURSE_TORCH")
    assert checkout.do("book") == []
    assert checkout.status == 0


@pytest.mark.parametrize("build", [PIN, f"{PIN}+cpu", f"{PIN}+cu130"])
def test_every_build_of_the_pinned_torch_is_right(checkout: Checkout, build: str) -> None:
    add_package(checkout.tasks, "torch", build)
    checkout.do("notebooks")
    assert checkout.status == 0


def test_a_new_pin_is_no_wrong_torch(checkout: Checkout) -> None:
    checkout.do("notebooks")
    checkout.write("constraints.txt", "numpy==2.0.0\ntorch==2.14.0\n")
    assert checkout.do("notebooks")[0] == "pip install"


def test_programs_find_the_environment_first(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (checkout.root / "elsewhere", checkout.tasks.BIN):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alembic").write_text("#!/bin/sh\n")
        (folder / "alembic").chmod(0o755)
    monkeypatch.setenv("PATH", str(checkout.root / "elsewhere"))
    monkeypatch.setenv("PYTHONPATH", "/another/project")
    env = checkout.tasks.child_environment()
    assert shutil.which("alembic", path=env["PATH"]) == str(checkout.tasks.BIN / "alembic")
    assert "PYTHONPATH" not in env


# ---------------------------------------------------------------- one sentence for each fault


def run_file(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tasks.py", *arguments], cwd=cwd, capture_output=True, text=True
    )


def test_old_python() -> None:
    source = (REPOSITORY / "tasks.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0);"
        "sys.modules['tomllib'] = None; runpy.run_path('tasks.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 1
    one_sentence(done.stderr, "3.11", "3.9", "PYTHON=python3.12")


def test_misspelt_task() -> None:
    done = run_file("coures")
    assert done.returncode == 1
    one_sentence(done.stdout, "`coures`", "did you mean `course`?", "notebooks")


def test_unknown_option(checkout: Checkout, capsys: pytest.CaptureFixture) -> None:
    assert checkout.do("clean", "--force") == [] and checkout.status == 1
    one_sentence(capsys.readouterr().err, "--force", "--all")


def test_help_names_every_task() -> None:
    said = run_file().stdout
    tasks = load(REPOSITORY)
    for name in (*tasks.TASKS, *tasks.OTHERS):
        assert re.search(rf"^    {name}  ", said, re.MULTILINE)


def test_no_venv_module(
    checkout: Checkout, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(checkout.tasks.VENV)
    checkout.tasks.venv_python = lambda: None
    # Debian with the module but not what it needs:
    checkout.failing["-m venv"] = "The virtual environment was not created: ensurepip is missing"
    checkout.do("course")
    one_sentence(capsys.readouterr().err, "python3-venv")
    # Debian without either:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "ensurepip" else find(name)
    )
    assert checkout.do("course") == [] and checkout.status == 1
    one_sentence(capsys.readouterr().err, "ensurepip", "python3-venv")


def test_full_disk_before_and_during(
    checkout: Checkout, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    checkout.failing["pip install"] = "ERROR: [Errno 28] No space left on device"
    checkout.do("course")
    one_sentence(capsys.readouterr().err, "full", "make room")
    checkout.tasks.call = full
    checkout.do("course")
    one_sentence(capsys.readouterr().err, "full", "make room")
    usage = namedtuple("usage", "total used free")(10**12, 10**12, 10**8)
    monkeypatch.setattr(checkout.tasks.shutil, "disk_usage", lambda _: usage)
    checkout.tasks.call = checkout.call
    assert checkout.do("course") == [] and checkout.status == 1
    one_sentence(capsys.readouterr().err, "0.1 GB free", "make room")


def test_no_network(
    checkout: Checkout, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real pip, whose index is a port of this machine that nobody listens on.
    # It is not imported: setuptools would then leave distutils alone in this whole process.
    pip = Path(pytest.__file__).parents[1] / "pip"
    tasks = load(checkout.root)
    shutil.rmtree(tasks.VENV)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tasks.VENV], check=True)
    (tasks.site_packages() / "pip").symlink_to(pip)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert tasks.main(["course"]) == 1
    one_sentence(capsys.readouterr().err, "network", "build/logs/install.log")
    assert not tasks.INSTALLED.exists()


def test_no_build_of_torch_for_this_system(
    checkout: Checkout, capsys: pytest.CaptureFixture
) -> None:
    checkout.failing["pip install"] = f"ERROR: No matching distribution found for torch=={PIN}"
    checkout.do("course")
    one_sentence(capsys.readouterr().err, PIN, "COURSE_TORCH", "README")


def test_two_runs_at_once(checkout: Checkout, capsys: pytest.CaptureFixture) -> None:
    with checkout.tasks.only_run():
        assert checkout.do("course") == [] and checkout.status == 1
    one_sentence(capsys.readouterr().err, "Another run", "wait")
    checkout.do("course")
    assert checkout.status == 0


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_makefile_names_the_tasks_and_a_missing_python() -> None:
    tasks = load(REPOSITORY)
    env = tasks.child_environment()  # without the outer make's own variables
    for name in (*tasks.TASKS, *tasks.OTHERS):
        dry = subprocess.run(
            ["make", "-n", name],
            cwd=REPOSITORY,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert dry.stdout.strip().endswith(f"tasks.py {name}")
    done = subprocess.run(
        ["make", "book", "PYTHON=python-nowhere"],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    one_sentence(done.stdout, "Python 3.11 or newer", "python-nowhere")


# ---------------------------------------------------------------- the files at the root


def test_every_requirement_has_one_pin_that_satisfies_it() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("#"):
            continue
        match = re.fullmatch(r"([a-z0-9-]+)==([^ ;]+)( ; .+)?", line)
        assert match, f"not an exact pin: {line}"
        assert not re.match("nvidia|triton|cuda", line)
        pins.setdefault(match[1], []).append(match[2])
    assert pins["torch"] == [PIN]
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = [*settings["build-system"]["requires"], *settings["project"]["dependencies"]]
    extras = settings["project"]["optional-dependencies"]
    wanted += [text for name in extras if name != "dev" for text in extras[name]]
    for requirement in map(Requirement, wanted):
        versions = pins[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in versions), requirement
    everything = set(Requirement(extras["dev"][0]).extras)
    assert everything == set(extras) - {"dev", "bench"}, "the benchmark's peer is asked for by name"


def test_readme_example_prints_the_numbers_that_it_shows() -> None:
    blocks = re.findall(
        r"```python\n(.*?)```\s+```text\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.S
    )
    assert blocks, "README.md shows no example with its output"
    for code, shown in blocks:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == shown


def test_generated_notebook_hashes_are_of_bytes(checkout: Checkout) -> None:
    checkout.do("notebooks")
    record = json.loads((checkout.root / "build/stamps/generated-notebooks.json").read_text())
    content = (checkout.root / "notebooks/gru/gru.ipynb").read_bytes()
    assert record == {"notebooks/gru/gru.ipynb": hashlib.sha256(content).hexdigest()}
