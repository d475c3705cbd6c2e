"""Every command of the course, from one file that needs only Python 3.11 or newer.

    python tasks.py TASK [--force]

    course     set everything up, build the book, mark the demo class, say where things are
    test       everything that must hold: style, types, notebooks in step, book, tests
    lab        JupyterLab with nbgrader, on your own copy of the notebooks (my_work/)
    notebooks  make the student notebooks from solutions/
    book       build the book into build/_build/html
    mark       make and mark the demo class
    bench      time our cells beside every peer, and record it (about half an hour)
    clean      remove what can be made again (build/); with --all the environment .venv too
    doctor     say what is installed and what is missing

A task does the set-up it needs, and a second run does only what changed; --force does it all again.
`lab` takes the name of a folder to open instead, and options of JupyterLab after --;
`bench` takes the options of `python -m gatedrnn.bench`, such as --quick or --show.
"""

import sys

# Before any syntax or module that an older Python lacks.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "The course needs Python 3.11 or newer and this is {}.{}: install a newer one and name it, "
        "as in `python3.12 tasks.py course` or `make course PYTHON=python3.12`.".format(
            *sys.version_info[:2]
        )
    )

import contextlib
import csv
import difflib
import errno
import functools
import hashlib
import importlib.util
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
BUILD = ROOT / "build"
STAMPS = BUILD / "stamps"
LOGS = BUILD / "logs"
HTML = BUILD / "_build" / "html"
DEMO = BUILD / "demo-class"
# `grader demo` leaves this file in the classes that it makes.
DEMO_SIGN = "this-is-the-demo-class.txt"
WORK = ROOT / "my_work"
LOCK = BUILD / "lock"
INSTALLED = VENV / "course-installed.json"

# An environment with torch's CPU build takes 1.9 GB; pip unpacks beside it.
GIGABYTES_NEEDED = 3.0
PYTHON_SOURCES = ["src", "grader", "tests", "solutions", "tools", "book", "tasks.py"]
IGNORED_NAMES = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


class Stop(Exception):
    """Ends the run with one sentence for the person who started it."""


# ---------------------------------------------------------------- content hashes


def files_under(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files below paths in a fixed order, without caches, hidden files and links."""
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            children = [p for p in path.iterdir() if p.name not in IGNORED_NAMES]
            yield from files_under(sorted(p for p in children if not p.name.startswith(".")))


def digest(*parts: object) -> str:
    """Return a hash of strings and of the names and bytes of everything below each path."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for file in files_under([part]):
                with file.open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").hexdigest()
                sha.update(f"{file.relative_to(part.parent).as_posix()} {content}\n".encode())
        sha.update(f"{'' if isinstance(part, Path) else part}\0".encode())
    return sha.hexdigest()


def read_json(path: Path) -> dict:
    """Return the object in a JSON file, or {} when it is missing or unreadable."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, path)


# ---------------------------------------------------------------- running programs


def child_environment() -> dict[str, str]:
    """Return the environment for programs of .venv, as an activated environment would set it."""
    env = dict(os.environ)
    foreign = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX")
    for name in (*foreign, "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        env.pop(name, None)
    return env | {
        # nbgrader starts `alembic` by name, so this environment must come first.
        "PATH": f"{BIN}{os.pathsep}{env.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(VENV),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PIP_USER": "0",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(BUILD / "hypothesis"),
    }


def call(command: list[str], log: Path, show: bool = False, env: dict | None = None) -> int:
    """Run a program, keep all it says in a log, and return its exit status.

    With show its lines appear as they come; otherwise a terminal sees the latest one only.
    """
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns - 1
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as kept:
        kept.write("$ " + " ".join(command) + "\n")
        kept.flush()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=child_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                if show:
                    print(line, end="", flush=True)
                elif terminal and line.strip():
                    print("\r\033[K" + line.strip()[:width], end="", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            if terminal and not show:
                print("\r\033[K", end="", flush=True)
        return process.wait()


def log_lines(log: Path) -> list[str]:
    """Return the lines of a program's log, without the command itself."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[1:]


def last_lines(lines: list[str]) -> list[str]:
    """Return the end of a log."""
    return lines[-25:]


def must(
    command: list[str],
    log_name: str,
    failure: str,
    show: bool = False,
    pick: Callable[[list[str]], list[str]] = last_lines,
    **env: str,
) -> None:
    """Run a program; when it fails, show what pick takes from its log and raise Stop."""
    log = LOGS / f"{log_name}.log"
    if call(command, log, show, env) == 0:
        return
    lines = log_lines(log)
    if not show:
        print("\n".join(pick(lines)))
    if any("No space left on device" in line for line in lines):
        raise Stop(disk_full())
    raise Stop(f"{failure} (everything it said: {log.relative_to(ROOT)}).")


def python(*arguments: str) -> list[str]:
    """Return the command line that runs .venv's Python."""
    return [str(PYTHON), *arguments]


# ---------------------------------------------------------------- steps


class Runner:
    """Runs steps, skips those whose inputs and outputs are as they were, keeps their times."""

    def __init__(self, force: bool = False) -> None:
        self.force = force
        self.times: list[tuple[str, str]] = []

    def step(self, name: str, key: str, outputs: list[Path], action: Callable[[], None]) -> None:
        """Do action unless the stamp says that it succeeded on this key and left these outputs."""
        stamp = STAMPS / f"{name}.json"
        known = read_json(stamp)
        whole = all(path.exists() for path in outputs)
        if (
            not self.force
            and whole
            and known.get("key") == key
            and known.get("outputs") == digest(*outputs)
        ):
            self.tell(name, "up to date" + (f": {known['note']}" if known.get("note") else ""))
            return
        # From here until the action has succeeded nothing may look finished.
        stamp.unlink(missing_ok=True)
        print(f"-- {name} ...", flush=True)
        start = time.monotonic()
        try:
            action()
        except Stop as stop:
            self.tell(name, "FAILED")
            raise stop
        seconds = time.monotonic() - start
        write_json(stamp, {"key": key, "outputs": digest(*outputs), "note": note_of(name)})
        self.tell(name, f"{seconds:.1f} s")

    def tell(self, name: str, result: str) -> None:
        """Print and keep how one step went."""
        self.times.append((name, result))
        print(f"-- {name}: {result}", flush=True)


def note_of(name: str) -> str:
    """Return pytest's closing line when the step was the tests, else nothing."""
    if name != "tests":
        return ""
    closing = [line for line in log_lines(LOGS / "tests.log") if " passed" in line]
    return closing[-1].strip("= ") if closing else ""


# ---------------------------------------------------------------- the environment


def disk_full() -> str:
    """Return the sentence for a full disk."""
    free = shutil.disk_usage(ROOT).free / 1e9
    return (
        f"The disk that holds {ROOT} is full ({free:.1f} GB free, about {GIGABYTES_NEEDED:.0f} GB "
        "needed): make room and run the same command again."
    )


def pinned_torch() -> str:
    """Return the version of torch that constraints.txt pins."""
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("torch=="):
            return line.removeprefix("torch==").split()[0]
    raise Stop("constraints.txt has no line `torch==...`: restore the file from the repository.")


def site_packages() -> Path:
    """Return the folder of .venv that holds the installed packages."""
    if os.name == "nt":
        return VENV / "Lib" / "site-packages"
    found = sorted(VENV.glob("lib/python3*/site-packages"))
    return found[-1] if found else VENV / "lib"


def installed_packages() -> list[str]:
    """Return name-version of every package in .venv, from the names of their records."""
    return sorted(
        path.name.removesuffix(".dist-info") for path in site_packages().glob("*.dist-info")
    )


def installed_torch() -> str | None:
    """Return the version of torch in .venv, or None."""
    names = [name for name in installed_packages() if name.lower().startswith("torch-")]
    return names[0].split("-", 1)[1] if names else None


def broken_packages() -> list[str]:
    """Return the packages of .venv whose files an interrupted install left out or cut."""
    broken = []
    site = site_packages()
    for info in sorted(site.glob("*.dist-info")):
        try:
            with (info / "RECORD").open(newline="", encoding="utf-8") as record:
                rows = [row for row in csv.reader(record) if len(row) == 3]
            complete = all(
                (site / name).stat().st_size >= int(size or 0)
                for name, _, size in rows
                if not name.endswith(".pyc")
            )
        except OSError:
            complete = False
        if not complete:
            broken.append(info.name.removesuffix(".dist-info"))
    return broken


def venv_python() -> str | None:
    """Return the version of .venv's Python if it starts and has pip, else None."""
    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            python("-c", code), capture_output=True, text=True, env=child_environment(), timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def need_disk() -> None:
    """Raise Stop when the environment would not fit."""
    if shutil.disk_usage(ROOT).free < GIGABYTES_NEEDED * 1e9:
        raise Stop(disk_full())


def make_venv() -> None:
    """Make .venv afresh with the Python that runs this file."""
    need_disk()
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    # Debian and Ubuntu keep these two in a package of their own.
    advice = (
        "This Python cannot make environments (it lacks `{}`): install its venv package "
        "(Debian and Ubuntu: `apt install python3-venv`) and run the same command again."
    )
    if missing:
        raise Stop(advice.format(missing[0]))
    if VENV.exists() or VENV.is_symlink():
        if not (VENV / "pyvenv.cfg").is_file():
            raise Stop(
                f"{VENV} exists and is no Python environment: move it away and run the same "
                "command again."
            )
        shutil.rmtree(VENV)
    # The base interpreter: an environment made from .venv's own Python would point into itself.
    base = getattr(sys, "_base_executable", None) or sys.executable
    log = LOGS / "venv.log"
    if call([base, "-m", "venv", str(VENV)], log) != 0:
        text = "\n".join(log_lines(log))
        if "ensurepip" in text:
            raise Stop(advice.format("ensurepip"))
        if "No space left" in text:
            raise Stop(disk_full())
        raise Stop(f"Python could not make .venv (why: {log.relative_to(ROOT)}).")


def torch_choice(known: dict) -> str:
    """Return the torch asked for: COURSE_TORCH, else what the last install chose, else the pin."""
    return os.environ.get("COURSE_TORCH", "").strip() or known.get("choice") or "pin"


def install_key(choice: str) -> str:
    """Return a hash of all that the environment is made from."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    relevant = [settings.get("build-system"), settings.get("project")]
    relevant.append(settings.get("tool", {}).get("setuptools"))
    packages = json.dumps(relevant, sort_keys=True)
    return digest(packages, ROOT / "constraints.txt", choice, str(ROOT))


def check_torch(choice: str, known: dict) -> None:
    """Raise Stop when .venv holds a torch that neither the pin nor the user's choice explains."""
    have, pin = installed_torch(), pinned_torch()
    expected = {pin, str(known.get("torch", pin)).split("+")[0]}
    if choice == "pin" and have is not None and have.split("+")[0] not in expected:
        raise Stop(
            f".venv holds torch {have} and the course is pinned to torch {pin}: run "
            "`python tasks.py clean --all` and start again, or keep this one on purpose with the "
            "environment variable COURSE_TORCH=keep."
        )


def pip_arguments(choice: str) -> list[str]:
    """Return the arguments of the one pip command that installs everything."""
    constraints = ROOT / "constraints.txt"
    torch = []
    if choice == "pin":
        torch = [f"torch=={pinned_torch()}"]
    else:
        # The pin on torch gives way to the choice; all other pins stand.
        lines = constraints.read_text(encoding="utf-8").splitlines(keepends=True)
        constraints = BUILD / "constraints-own-torch.txt"
        constraints.parent.mkdir(parents=True, exist_ok=True)
        constraints.write_text(
            "".join(line for line in lines if not line.startswith("torch==")), encoding="utf-8"
        )
        torch = [] if choice == "keep" else [choice]
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    return ["install", *quiet, "-c", str(constraints), *torch, "-e", ".[dev]"]


def pip_failure(lines: list[str]) -> str:
    """Return the sentence that fits what pip said."""
    text = "\n".join(lines)
    where = f"(pip's own words: {(LOGS / 'install.log').relative_to(ROOT)})"
    if "No space left on device" in text:
        return disk_full()
    signs = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "ProxyError")
    signs += ("ReadTimeoutError", "Temporary failure in name resolution", "Network is unreachable")
    if any(sign in text for sign in signs):
        return (
            "pip could not reach its package index, which the first install needs: connect to the "
            f"network and run the same command again {where}."
        )
    if "No matching distribution found for torch" in text:
        return (
            f"pip found no build of torch {pinned_torch()} for this system and Python: set "
            "COURSE_TORCH to one that PyTorch offers for it, as the README says, and run the same "
            f"command again {where}."
        )
    return f"pip could not install the pinned packages {where}."


def install(runner: Runner) -> None:
    """Bring .venv to the pinned packages; leave it alone when it has them."""
    known = read_json(INSTALLED)
    version = venv_python()
    moved = known.get("root", str(ROOT)) != str(ROOT)
    too_old = version is not None and tuple(map(int, version.split("."))) < (3, 11)
    usable = version is not None and not moved and not too_old
    if not usable:
        known = {"choice": known.get("choice")}
    choice = torch_choice(known)
    key = install_key(choice)
    if usable:
        check_torch(choice, known)
        complete = set(known.get("packages", ["?"])) <= set(installed_packages())
        if known.get("key") == key and complete:
            runner.tell("install", "up to date")
            return
    print("-- install ... (the first time takes minutes)", flush=True)
    start = time.monotonic()
    need_disk()
    INSTALLED.unlink(missing_ok=True)
    broken = broken_packages() if usable else []
    if not usable or broken:
        if broken:
            print(f"   an interrupted install left {broken[0]} incomplete: starting .venv afresh")
        make_venv()
    log = LOGS / "install.log"
    if call(python("-m", "pip", *pip_arguments(choice)), log) != 0:
        lines = log_lines(log)
        print("\n".join(line for line in lines[-8:] if "WARNING: Location" not in line))
        raise Stop(pip_failure(lines))
    write_json(
        INSTALLED,
        {
            "key": key,
            "root": str(ROOT),
            "choice": choice,
            "torch": installed_torch(),
            "packages": installed_packages(),
        },
    )
    runner.tell("install", f"{time.monotonic() - start:.1f} s")


@functools.cache
def environment_key() -> str:
    """Return a hash of what is installed, for the steps that run it."""
    return digest(venv_python(), *installed_packages())


# ---------------------------------------------------------------- notebooks


def keep_edited_notebooks(before: dict[Path, bytes], generated: dict[str, str]) -> None:
    """Put notebooks that a person had edited in notebooks/ into my_work/ before they are lost."""
    for path, content in before.items():
        old = hashlib.sha256(content).hexdigest()
        now = path.read_bytes() if path.exists() else b""
        if content == now or generated.get(path.relative_to(ROOT).as_posix(), old) == old:
            continue
        saved = WORK / path.parent.name / f"{path.stem}.saved-{old[:8]}{path.suffix}"
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_bytes(content)
        print(f"   {path.relative_to(ROOT)} had been edited: kept as {saved.relative_to(ROOT)}")


def notebooks(runner: Runner) -> None:
    """Make the student notebooks from their sources."""
    folder = ROOT / "notebooks"
    record = STAMPS / "generated-notebooks.json"

    def action() -> None:
        before = {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
        must(python("-m", "grader", "notebooks"), "notebooks", "The notebooks could not be made")
        keep_edited_notebooks(before, read_json(record))
        write_json(
            record,
            {
                path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in files_under([folder])
            },
        )

    folder.mkdir(exist_ok=True)
    key = digest(environment_key(), ROOT / "grader", ROOT / "solutions", ROOT / "src")
    runner.step("notebooks", key, [folder], action)


def notebooks_in_step(runner: Runner) -> None:
    """Check that the committed notebooks are what their sources make."""

    def action() -> None:
        command = python("-m", "grader", "notebooks", "--check")
        advice = "notebooks/ is not what solutions/ makes: run `python tasks.py notebooks`"
        must(command, "notebooks-in-step", advice)

    parts = ("grader", "solutions", "src", "notebooks")
    key = digest(environment_key(), *(ROOT / part for part in parts))
    runner.step("notebooks in step", key, [], action)


# ---------------------------------------------------------------- the book


def execution_key() -> str:
    """Return a hash of everything that an executed page computes with, besides its own text."""
    shown = {"_ext", "_static", "_templates", "_quizzes", "_diagrams"}
    data = [
        path
        for path in files_under([ROOT / "book"])
        if path.suffix not in {".md", ".bib"} and not shown & set(path.parts)
    ]
    parts: list[Path] = [ROOT / "src", *data]
    texts = [page.read_text(encoding="utf-8") for page in (ROOT / "book").glob("*.md")]
    if any("import grader" in text or "from grader" in text for text in texts):
        parts.append(ROOT / "grader")
    return digest(environment_key(), *parts)


def book_faults(lines: list[str]) -> list[str]:
    """Return what Sphinx warned of and what was raised in cells, without anybody's tracebacks."""
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    raised = re.compile(r"[\w.]*(Error|Exception|Interrupt|Exit)\b")
    noise = re.compile(
        r"\[IPKernelApp\]|RuntimeError: *$|nbclient\.exceptions|myst_nb\.|Exception occurred"
        r"|.*Traceback \(most"
    )
    faults = [
        line
        for line in plain
        if not noise.match(line)
        and (re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line) or raised.match(line))
    ]
    return list(dict.fromkeys(faults)) or last_lines(plain)


def frame_key() -> str:
    """Return a hash of everything that the book is made of but the text of its pages."""
    pages = set((ROOT / "book").glob("*.md"))
    rest = [path for path in files_under([ROOT / "book"]) if path not in pages]
    parts = ("src", "notebooks", "solutions", "grader", "_config.yml", "_toc.yml")
    return digest(environment_key(), *rest, *(ROOT / part for part in parts))


def book(runner: Runner, whole: bool = False) -> None:
    """Build the book; a warning is an error.

    Where only the text of pages changed since a build without a warning, the other pages are kept;
    with whole every page is made again, since a page that is kept repeats no warning about what
    another one no longer has.
    """
    output = BUILD / "_build"
    executed, frame = STAMPS / "book-executed.json", STAMPS / "book-frame.json"
    stamp = STAMPS / "book.json"
    if whole and not read_json(frame).get("whole"):
        stamp.unlink(missing_ok=True)
    intact = HTML.exists() and read_json(stamp).get("outputs") == digest(HTML)

    def action() -> None:
        # jupyter-cache looks at a page's own cells only, so what the cells gave is kept only
        # while everything that they computed with is the same.
        key = execution_key()
        if read_json(executed).get("key") != key:
            remove(output / ".jupyter_cache")
        same = intact and not runner.force and read_json(frame).get("key") == frame_key()
        frame.unlink(missing_ok=True)  # a build that fails keeps nothing for the next one
        if not same:
            for stale in (HTML, output / ".doctrees", output / "jupyter_execute"):
                remove(stale)
        write_json(executed, {"key": key})
        command = [str(BIN / "jupyter-book"), "build", ".", "--path-output", "build"]
        must(
            [*command, "-W", "-n", "--keep-going"],
            "book",
            "The book was not built: mend the warnings and errors above",
            pick=book_faults,
        )
        write_json(frame, {"key": frame_key(), "whole": not same})

    parts = ("book", "src", "notebooks", "solutions", "grader", "_config.yml", "_toc.yml")
    key = digest(environment_key(), *(ROOT / part for part in parts))
    runner.step("book", key, [HTML], action)


def whole_book(runner: Runner) -> None:
    """Build the book with every page made again."""
    book(runner, whole=True)


# ---------------------------------------------------------------- marking


def mark(runner: Runner) -> None:
    """Make the demo class and mark it."""

    def action() -> None:
        must(python("-m", "grader", "demo"), "mark", "The demo class was not marked")

    parts = ("grader", "solutions", "src", "notebooks")
    key = digest(environment_key(), *(ROOT / part for part in parts))
    runner.step("mark", key, [DEMO, LOGS / "mark.log"], action)


def marks_table() -> str:
    """Return the table of the class, which `grader demo` prints before its other tables."""
    lines = log_lines(LOGS / "mark.log")
    starts = [i for i, line in enumerate(lines) if line.split()[:1] == ["student"]]
    if not starts:
        return "\n".join(lines)
    table = itertools.takewhile(str.strip, lines[starts[0] :])
    more = "exercises, misconceptions and the places of gradebook and feedback"
    return "\n".join([*table, f"({more}: {(LOGS / 'mark.log').relative_to(ROOT)})"])


# ---------------------------------------------------------------- tests


def lint(runner: Runner) -> None:
    """Check style and layout."""
    sources = [name for name in PYTHON_SOURCES if (ROOT / name).exists()]
    key = digest(environment_key(), ROOT / "pyproject.toml", *(ROOT / name for name in sources))

    def action() -> None:
        must(python("-m", "ruff", "check", *sources), "lint", "ruff found faults")
        advice = "Files are not laid out by ruff: run `.venv/bin/ruff format` on them"
        must(python("-m", "ruff", "format", "--check", *sources), "format", advice)

    runner.step("style", key, [], action)


def types(runner: Runner) -> None:
    """Check the types of the two packages."""
    key = digest(environment_key(), *(ROOT / name for name in ("pyproject.toml", "src", "grader")))

    def action() -> None:
        must(python("-m", "mypy"), "types", "mypy found faults")

    runner.step("types", key, [], action)


def pytest(runner: Runner, book_built: bool = True) -> None:
    """Run the tests, on up to four cores."""
    everything = sorted(path for path in ROOT.iterdir() if path != BUILD and path != WORK)
    tracked = [path for path in everything if not path.name.startswith(".")]
    tools = [shutil.which(name) for name in ("chromium", "google-chrome", "bwrap")]
    key = digest(environment_key(), book_built, tools, os.environ.get("GATEDRNN_DATA"), *tracked)
    workers = min(os.cpu_count() or 1, 4)
    options = ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else []
    options += ["--color=yes"] if sys.stdout.isatty() else []
    options += [] if book_built else ["--ignore=tests/book"]

    def action() -> None:
        command = python("-m", "pytest", "-q", *options)
        # One thread a process: the tests share the cores already.
        must(command, "tests", "Some tests failed", show=True, OMP_NUM_THREADS="1")

    runner.step("tests", key, [HTML] if book_built else [], action)


# ---------------------------------------------------------------- tasks


def summary(runner: Runner) -> None:
    """Print how long each step took."""
    print("\nTime of each step")
    for name, result in runner.times:
        print(f"  {name:<18} {result}")


def task_course(runner: Runner) -> None:
    """Set up, generate, build, mark, and say where things are."""
    for step in (install, notebooks, book, mark):
        step(runner)
    print(f"\nMarks of the demo class ({DEMO.relative_to(ROOT)})\n{marks_table()}")
    summary(runner)
    init = (BIN / "grader").relative_to(ROOT)
    print(f"\nread   open {HTML / 'index.html'} in a browser")
    print("work   python tasks.py lab   (or: make lab)")
    print(f"mark   {init} init DIR   makes a class of your own")


def task_test(runner: Runner) -> None:
    """Check everything, and name at the end all that failed."""
    install(runner)
    failures: list[str] = []
    for step in (lint, types, notebooks_in_step, whole_book):
        try:
            step(runner)
        except Stop as stop:
            print(stop, flush=True)
            failures.append(str(stop))
            if step is whole_book:
                print("   the tests of the book are left out, since there is no book", flush=True)
    book_built = (STAMPS / "book.json").exists()
    try:
        pytest(runner, book_built)
    except Stop as stop:
        failures.append(str(stop))
    summary(runner)
    if failures:
        raise Stop("Not everything holds:\n" + "\n".join(failures))
    print("\nEverything holds.")


def task_notebooks(runner: Runner) -> None:
    """Make the student notebooks."""
    install(runner)
    notebooks(runner)


def task_book(runner: Runner) -> None:
    """Build the book."""
    install(runner)
    book(runner)
    print(f"\nread   open {HTML / 'index.html'} in a browser")


def task_mark(runner: Runner) -> None:
    """Mark the demo class."""
    install(runner)
    notebooks(runner)
    mark(runner)
    print(f"\nMarks of the demo class ({DEMO.relative_to(ROOT)})\n{marks_table()}")


def copy_notebooks() -> None:
    """Copy each notebook that my_work/ lacks into it; never touch one that is there."""
    from grader.booklinks import lead_out  # what Python 3.11 alone can import

    for source in files_under([ROOT / "notebooks"]):
        copy = WORK / source.relative_to(ROOT / "notebooks")
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(copy.name + ".partial")
            if source.suffix == ".ipynb":
                # JupyterLab opens nothing outside my_work/, so no link there leads into the book.
                text = lead_out(source.read_text("utf-8"), os.environ.get("GATEDRNN_BOOK", ""))
                partial.write_bytes(text.encode("utf-8"))
            else:
                shutil.copyfile(source, partial)
            os.replace(partial, copy)
            print(f"   new: {copy.relative_to(ROOT)}")


def lab(arguments: list[str]) -> int:
    """Open JupyterLab on my_work/, or on the folder named first, until it is closed."""
    folder = WORK
    if arguments and not arguments[0].startswith("-"):
        folder = Path(arguments.pop(0)).resolve()
        if not folder.is_dir():
            raise Stop(f"There is no folder {folder}: give one that exists, such as a class.")
    else:
        copy_notebooks()
        print("   your work is in my_work/; no command changes a notebook there")
    command = [str(BIN / "jupyter-lab"), f"--ServerApp.root_dir={folder}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.call([*command, *arguments], cwd=folder, env=child_environment())


def bench(arguments: list[str]) -> int:
    """Run the benchmark; it says how far it is, and goes on where it was interrupted."""
    return subprocess.call(
        python("-m", "gatedrnn.bench", *arguments), cwd=ROOT, env=child_environment()
    )


def holds_class(folder: Path) -> bool:
    """Return whether a class (its configuration or gradebook) that is no demo lies in folder."""
    marks = {"gradebook.db", "nbgrader_config.py"}
    for _, folders, names in os.walk(folder):
        if DEMO_SIGN in names:
            folders.clear()
        elif marks & set(names):
            return True
    return False


def remove(path: Path) -> None:
    """Remove a file or folder, and never what a link points to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def clean(everything: bool) -> None:
    """Remove what can be made again: build/ and caches; with everything, .venv too."""
    children = sorted(BUILD.iterdir()) if BUILD.is_dir() and not BUILD.is_symlink() else []
    for path in children:
        if path == LOCK:
            continue
        if path.is_dir() and not path.is_symlink() and holds_class(path):
            print(f"   kept {path}: a class lies in it, and no command removes a class")
        else:
            remove(path)
    for name in (".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"):
        remove(ROOT / name)
    if everything:
        if VENV.exists() and not (VENV / "pyvenv.cfg").is_file():
            raise Stop(f"{VENV} is no Python environment, so it was left alone: remove it by hand.")
        for path in [VENV, *ROOT.glob("*.egg-info")]:
            remove(path)
    print("Removed what can be made again; my_work/ and your classes are as they were.")


def remove_empty_build() -> None:
    """Remove build/ when nothing is left in it but the lock of a run that has ended."""
    if not BUILD.is_symlink() and list(BUILD.iterdir()) == [LOCK]:
        shutil.rmtree(BUILD)


def doctor() -> None:
    """Print what this machine has, for a person or for a report of a fault."""
    free = shutil.disk_usage(ROOT).free / 1e9
    print(f"python     {sys.version.split()[0]}  {sys.executable}")
    print(f".venv      {venv_python() or 'none that works'}, torch {installed_torch() or 'none'}")
    print(f"disk       {free:.1f} GB free; a first install needs {GIGABYTES_NEEDED:.0f} GB")
    print(f"cores      {os.cpu_count()}")
    print(f"data       GATEDRNN_DATA={os.environ.get('GATEDRNN_DATA', '(not set)')}")
    for name, use in (("chromium", "tests of pages in a browser"), ("bwrap", "sealed marking")):
        print(f"{name:<10} {shutil.which(name) or 'not found'} ({use}; not needed to read or work)")


TASKS: dict[str, Callable[[Runner], None]] = {
    "course": task_course,
    "test": task_test,
    "notebooks": task_notebooks,
    "book": task_book,
    "mark": task_mark,
}
#: Long runs of another program; they hold no lock and take options of their own.
PROGRAMS: dict[str, Callable[[list[str]], int]] = {"lab": lab, "bench": bench}
OTHERS = (*PROGRAMS, "clean", "doctor")


# ---------------------------------------------------------------- the command line


@contextlib.contextmanager
def only_run() -> Iterator[None]:
    """Hold the lock that keeps two runs from working in one build/ at once."""
    BUILD.mkdir(exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            if os.name == "nt":
                import msvcrt

                lock.seek(0)
                msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Stop(
                f"Another run is at work in {ROOT}: wait for it to end, then run the same "
                "command again."
            ) from None
        yield


def run_task(name: str, arguments: list[str]) -> int:
    """Do one task and return the exit status."""
    allowed = {"clean": {"--all"}, "doctor": set()}.get(name, {"--force"})
    unknown = [a for a in arguments if a not in allowed]
    if name not in PROGRAMS and unknown:
        raise Stop(f"`{name}` knows no {unknown[0]!r}: it takes {', '.join(allowed) or 'nothing'}.")
    if name == "doctor":
        doctor()
        return 0
    runner = Runner(force="--force" in arguments and name not in PROGRAMS)
    with only_run():
        if name == "clean":
            clean("--all" in arguments)
        elif name not in PROGRAMS:
            TASKS[name](runner)
        elif name == "lab":
            task_notebooks(runner)
        else:
            install(runner)
    if name == "clean":
        remove_empty_build()
    if name not in PROGRAMS:
        return 0
    return PROGRAMS[name]([a for a in arguments if a != "--"])


def main(arguments: list[str]) -> int:
    """Read the command line, do the task, and turn what went wrong into one sentence."""
    if not arguments or arguments[0] in {"help", "-h", "--help"}:
        print(__doc__.strip())
        return 0
    name, *rest = arguments
    names = [*TASKS, *OTHERS]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        guess = f"did you mean `{close[0]}`? " if close else ""
        print(f"There is no task `{name}`: {guess}The tasks are {', '.join(names)}.")
        return 1
    try:
        return run_task(name, rest)
    except Stop as stop:
        print(f"\n{stop}", file=sys.stderr)
        return 1
    except OSError as error:
        full = error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
        sentence = disk_full() if full else f"{error}: mend this and run the same command again."
        print(f"\n{sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on; nothing half-made is trusted.")
        return 130


if __name__ == "__main__":
    # A run that is told to end stops its programs, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
