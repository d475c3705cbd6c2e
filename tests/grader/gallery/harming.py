"""Harm to the machine or to classmates: each costs what depends on it, and nobody else notices."""

from __future__ import annotations

import json
from pathlib import Path

from tests.grader import classes as c
from tests.grader.gallery import THROUGH, Entry, all_but, solved, solved_but, unanswered

_ENDS, _LONG = "ended the process", "ran longer than 5 s"
_MAYBE = (_ENDS, _LONG, "ran longer than 2 s", "used up its 20 s")
_LAST = "clip_by_global_norm"
_MARK = "gallery_was_here"


def _in_call(body: str, setup: str = "") -> dict:
    """All solved, but the last exercise's function does this when it is called."""
    text = f"{setup}\ndef {_LAST}(*a, **k):\n" + "\n".join(f"    {x}" for x in body.split("\n"))
    return {"make": solved_but(_LAST, text), "earns": all_but(_LAST)}


def _cells(count: int, source: str) -> bytes:
    """The solved notebook after so many cells."""
    document = json.loads(c.full().bytes())
    cells = [{"cell_type": "code", "source": source.replace("N", str(n)), "metadata": {}}
             for n in range(count)]  # fmt: skip
    return json.dumps(document | {"cells": [*cells, *document["cells"]]}).encode()


def _with_files(path: Path) -> None:
    """A good notebook among hundreds of files, a sparse one of a gigabyte, pipes and loops."""
    import os

    path.write_bytes(c.full().bytes())
    for number in range(300):
        path.with_name(f"{number}.txt").write_text("x")
    with path.with_name("large.bin").open("wb") as file:
        file.truncate(2**30)
    os.mkfifo(path.with_name("pipe.ipynb"))
    path.with_name("loop").symlink_to(".")
    path.with_name("passwd").symlink_to("/etc/passwd")


def _gigabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.write(c.full().bytes())
        file.truncate(2**30)


_THREAD = "import threading, time\n"

ENTRIES = [
    # ------------------------------------------------------------ ends
    *[
        Entry(f"exit-{name}", f"ends the process: {words}", solved(code), flags=flags, plain=plain,
              perhaps=_MAYBE if "deep" in name else ())
        for name, words, code, flags, plain in (
            ("sys", "sys.exit", "import sys; sys.exit(3)", (), True),
            ("quit", "exit and quit, as functions and as magics", "exit()\nquit()\nexit\n%exit",
             (), True),
            ("os", "os._exit", "import os; os._exit(0)", (_ENDS,), True),
            ("abort", "os.abort", "import os; os.abort()", (_ENDS,), True),
            ("null", "a read at address 0", "import ctypes; ctypes.string_at(0)", (_ENDS,), True),
            ("kill", "signals to itself and to all", "import os, signal\nfor n in (15, 1, 9):\n"
             "    for pid in (-1, 0, os.getpid()):\n        try: os.kill(pid, n)\n"
             "        except OSError: pass\nos.kill(os.getpid(), 9)\nimport ctypes\n"
             "ctypes.CDLL(None).raise_ if 0 else os._exit(9)", (_ENDS,), False),
            ("deep", "recursion without a limit", "import sys; sys.setrecursionlimit(10**9)\n"
             "def f(*a): return f(*a) + 1\nf()", (), False),
            ("deep-c", "recursion in C code", "import sys; sys.setrecursionlimit(10**9)\nx = []\n"
             "for _ in range(10**6): x = [x]\nrepr(x); x == x[0]", (), False),
            ("thread", "a thread that ends it a moment later", _THREAD + "import os\n"
             "threading.Timer(0.05, lambda: os._exit(0)).start(); time.sleep(1)", (_ENDS,), True),
            ("atexit", "from what runs at the exit, and an exit", "import atexit, os\n"
             "atexit.register(lambda: os._exit(7))\nraise SystemExit", (), True),
            ("del", "from a finaliser", "import os\nclass X:\n    def __del__(self): os._exit(0)\n"
             "x = X(); del x", (_ENDS,), True),
        )
    ],
    Entry("exit-in-call", "ends the process when it is called", flags=(_ENDS,), plain=True,
          **_in_call("import os; os._exit(0)")),
    Entry("sysexit-in-call", "raises SystemExit when it is called", plain=True,
          **_in_call("raise SystemExit(0)")),
    Entry("interrupt-in-call", "raises KeyboardInterrupt when it is called", plain=True,
          **_in_call("raise KeyboardInterrupt")),
    Entry("null-in-call", "reads at address 0 when it is called", flags=(_ENDS,),
          **_in_call("import ctypes; ctypes.string_at(0)")),
    Entry("exit-in-each-call", "ends the process in each call of every function",
          unanswered("import os\ndef rnn_step(*a): os._exit(1)\nrnn_forward = rnn_backward = "
                     "truncated_bptt_grads = clip_by_global_norm = rnn_step"),
          c.nothing, flags=(_ENDS,)),
    Entry("exit-in-each-cell", "has a thousand cells that end the process",
          lambda: _cells(1000, "import os; os._exit(N)"),
          c.nothing, flags=(_ENDS, "used up its 20 s"), perhaps=(_LONG,)),
    # ------------------------------------------------------------ does not end
    Entry("loop", "loops for ever in a cell", solved("while True: pass"), flags=(_LONG,),
          plain=True),
    Entry("loop-catching", "loops and catches whatever would end it",
          solved("import signal\nfor n in range(1, 65):\n"
                 "    try: signal.signal(n, signal.SIG_IGN)\n"
                 "    except (OSError, ValueError): pass\nwhile True:\n    try:\n"
                 "        while True: pass\n    except BaseException: pass"), flags=(_LONG,),
          plain=True),
    Entry("loop-in-c", "computes a power tower, which no signal interrupts",
          solved("x = 9 ** 9 ** 8"), flags=(_LONG,)),
    Entry("loop-in-regex", "backtracks for ever in a regular expression",
          solved("import re; re.match('(a+)+$', 'a' * 60 + 'b')"), flags=(_LONG,)),
    Entry("sleep", "sleeps for an hour", solved("import time; time.sleep(3600)"), flags=(_LONG,)),
    Entry("input-loop", "waits for input for ever", solved("while True:\n    try: input()\n"
                                                           "    except BaseException: pass"),
          flags=(_LONG,)),
    Entry("await-for-ever", "awaits what never comes",
          solved("import asyncio; await asyncio.Event().wait()"), flags=(_LONG,)),
    Entry("deadlock", "waits for a lock that it holds",
          solved("import threading; l = threading.Lock(); l.acquire(); l.acquire()"),
          flags=(_LONG,)),
    Entry("loop-in-call", "loops for ever when it is called", flags=("ran longer than 2 s",),
          plain=True, **_in_call("while True: pass")),
    Entry("loop-in-value", "gives a value that loops when it is looked at", plain=True,
          **_in_call("return Endless()", "class Endless(dict):\n    def items(self):\n"
                     "        while True: pass\n    __iter__ = keys = __len__ = items")),
    Entry("slow-cells", "has hundreds of cells that each take their time",
          lambda: _cells(200, "import time; time.sleep(0.3)"), c.nothing,
          flags=("used up its 20 s",)),
    # ------------------------------------------------------------ takes
    Entry("memory", "takes memory until there is none", solved(
        "kept = []\nwhile True: kept.append(bytearray(2**26))"), plain=True, perhaps=_MAYBE),
    Entry("memory-at-once", "asks for a terabyte, of Python, NumPy and torch",
          solved("bytearray(2**40)", "np.ones(2**37)", "import torch; torch.ones(2**37)",
                 "'x' * 2**40", "[0] * 2**37"), plain=True, perhaps=_MAYBE),
    Entry("memory-in-call", "takes memory without end when it is called",
          perhaps=_MAYBE, **_in_call("kept = []\nwhile True: kept.append(bytearray(2**26))")),
    Entry("memory-in-threads", "takes memory in threads that catch the error",
          solved(_THREAD + "def take():\n    kept = []\n    while True:\n"
                 "        try: kept.append(bytearray(2**24))\n"
                 "        except MemoryError: time.sleep(0.2)\n"
                 "for _ in range(9): threading.Thread(target=take, daemon=True).start()\n"
                 "time.sleep(1)"), perhaps=_MAYBE),
    Entry("answers-large", "answers with thirty megabytes each time",
          unanswered("def rnn_step(*a): return np.ones(3_750_000)\nrnn_forward = rnn_backward = "
                     "truncated_bptt_grads = clip_by_global_norm = rnn_step"),
          c.nothing, flags=("The answers took more than 256 MiB",), perhaps=_MAYBE),
    Entry("answers-many", "answers with a hundred thousand small parts each time",
          unanswered("def rnn_step(*a): return [[0.5] for _ in range(49_000)]\nrnn_forward = "
                     "rnn_backward = truncated_bptt_grads = clip_by_global_norm = rnn_step"),
          c.nothing, perhaps=_MAYBE),
    Entry("arguments-large", "makes its arguments large and gives the right answer",
          **_in_call("a[0]['extra'] = np.ones(7_000_000)\nreturn right_clip(*a, **k)",
                     "right_clip = clip_by_global_norm")),
    Entry("threads", "starts threads without end", solved(
        _THREAD + "threading.stack_size(65536)\nfor n in range(100_000):\n"
        "    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()")),
    Entry("threads-in-c", "keeps every core busy with threads in C code, beside right answers",
          solved("import hashlib, threading\n"
                 "def burn(): hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2**31 - 1)\n"
                 "for _ in range(250): threading.Thread(target=burn, daemon=True).start()"),
          perhaps=_MAYBE),
    Entry("forks", "forks without end", solved(
        "import os\nwhile True:\n    if os.fork() == 0:\n        while True: pass")),
    Entry("programs", "starts programs in every way there is", solved(
        "import os, subprocess\nfor f in (lambda: os.system('sleep 999 &'), "
        "lambda: subprocess.Popen(['sleep', '999'], start_new_session=True), "
        "lambda: os.posix_spawn('/bin/sleep', ['sleep', '999'], {}), "
        "lambda: os.execv('/bin/sh', ['sh', '-c', 'sleep 999'])):\n"
        "    try: f()\n    except OSError as e: print(e)",
        "!nohup sleep 999 &", "%%bash --bg\nsleep 999", "%system sleep 999 &")),
    Entry("pools", "starts pools of processes", solved(
        "import multiprocessing, concurrent.futures\nfor m in ('fork', 'spawn', 'forkserver'):\n"
        "    try:\n        with multiprocessing.get_context(m).Pool(2) as p: p.map(abs, [1])\n"
        "    except OSError as e: print(e)")),
    Entry("descriptors", "opens files without closing them", solved(
        "kept = []\nwhile True: kept.append(open('/dev/null'))")),
    Entry("disk", "fills the disk with one file and with many", solved(
        "with open('large', 'wb') as f:\n    for _ in range(10**6): f.write(b'x' * 2**20)",
        "for n in range(10**6): open(f'many{n}', 'w').write('x' * 4096)",
        "import os\nos.truncate('large', 2**50)")),
    Entry("prints", "prints without end", solved("while True: print('x' * 1000)"), flags=(_LONG,),
          plain=True),
    Entry("prints-at-once", "prints a hundred megabytes at once",
          solved("print('x' * 10**8)", "'y' * 10**8", "raise ValueError('z' * 10**7)")),
    Entry("prints-in-each-cell", "prints as much as is kept, in each of nineteen hundred cells",
          lambda: _cells(1900, "print('\\n\\x01' * 10_000)"), plain=True),
    Entry("displays-many", "shows ten thousand small things",
          solved("for n in range(10_000): display(n)")),
    # ------------------------------------------------------------ reaches out
    Entry("writes-everywhere", "writes into the home, the course, the class and the system", solved(
        "import os, sys, glob, numpy\nfor place in ('/', '/tmp', '/var/tmp', '/dev/shm', '/run', "
        f"'/root', '/home', '/etc', '/seal', '/seal/course', {str(Path.home())!r}, "
        f"{str(Path(__file__).resolve().parents[3])!r}, '..', '../..', sys.prefix, "
        "os.path.dirname(numpy.__file__), os.path.dirname(os.__file__)):\n"
        f"    try: open(place + '/{_MARK}', 'w').write('x')\n    except OSError: pass")),
    Entry("changes-packages", "changes the packages that the others use", solved(
        f"import numpy, torch, os\nfor m in (numpy, torch, os):\n    try:\n"
        f"        open(m.__file__, 'a').write('#'); print({THROUGH!r}, m)\n"
        "    except OSError: pass\n"
        f"    try: os.chmod(m.__file__, 0o777); print({THROUGH!r}, m)\n    except OSError: pass\n"
        f"    try: os.unlink(m.__file__); print({THROUGH!r}, m)\n    except OSError: pass")),
    Entry("changes-memory-of-all", "changes modules and constants in place",
          solved_but(_LAST, "import numpy, sys, builtins, math\nnumpy.tanh = numpy.zeros_like\n"
                     "math.pi = 3\nbuiltins.len = lambda x: 0\nsys.modules['json'] = None\n"
                     f"def {_LAST}(*a): return 0"),
          # IPython itself does not survive it; the cell is left out, and with it this answer.
          all_but(_LAST), flags=(_ENDS,)),
    Entry("listens", "listens on ports and on sockets of the file system", solved(
        "import socket\nfor f in (lambda: socket.create_server(('0.0.0.0', 8899)), "
        "lambda: socket.create_server(('::', 8899), family=socket.AF_INET6), "
        f"lambda: socket.socket(socket.AF_UNIX).bind('\\0{_MARK}'), "
        f"lambda: socket.socket(socket.AF_UNIX).bind('/tmp/{_MARK}')):\n"
        f"    try: f(); print({THROUGH!r}, 'a socket')\n    except OSError as e: print(e)")),
    Entry("mounts", "mounts, changes its root and leaves its namespaces", solved(
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "for f in (lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), "
        "lambda: libc.umount2(b'/proc', 2), lambda: libc.chroot(b'/'), "
        "lambda: libc.unshare(0x10000000), lambda: libc.unshare(0x20000), "
        "lambda: libc.pivot_root(b'/', b'/') if hasattr(libc, 'pivot_root') else -1):\n"
        f"    if f() == 0: print({THROUGH!r}, 'a mount')")),
    Entry("raises-its-limits", "raises its limits and its priority", solved(
        "import resource, os, ctypes\nfor name in dir(resource):\n"
        "    if name.startswith('RLIMIT'):\n"
        "        try: resource.setrlimit(getattr(resource, name), (-1, -1))\n"
        "        except (OSError, ValueError): pass\n"
        "for f in (lambda: os.nice(-5), lambda: os.setuid(0) or os.getuid(), "
        "lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))):\n"
        "    try:\n        if f() not in (None, 0): pass\n    except OSError: continue\n"
        "libc = ctypes.CDLL(None); libc.prctl(1, 0, 0, 0, 0); libc.prctl(4, 1, 0, 0, 0)",
        "kept = []\nwhile True: kept.append(bytearray(2**26))"), perhaps=_MAYBE),
    Entry("shared-memory", "makes shared memory, semaphores and queues that outlive a process",
          solved("import ctypes\nlibc = ctypes.CDLL(None)\n"
                 f"for f in (lambda: libc.shmget(77, 4096, 0o1666), "
                 "lambda: libc.semget(77, 1, 0o1666), lambda: libc.msgget(77, 0o1666), "
                 "lambda: libc.memfd_create(b'x', 0)):\n"
                 f"    if f() >= 0: print({THROUGH!r}, 'shared memory')",
                 "from multiprocessing import shared_memory\n"
                 "shared_memory.SharedMemory(create=True, size=4096)")),
    Entry("files-beside", "is among hundreds of files, pipes, links and a gigabyte of zeros",
          lambda: _with_files, flags=("pipe.ipynb was handed in beside it",)),
    Entry("gigabyte", "is a gigabyte, and begins like a notebook", lambda: _gigabyte, c.nothing,
          status="unreadable", flags=("1024.0 MiB; the limit is 20 MiB",)),
    Entry("outputs-large", "carries twelve megabytes of outputs of an earlier run",
          lambda: _with_output(12_000_000)),
    Entry("outputs-huge", "carries a hundred megabytes of outputs of an earlier run",
          lambda: _with_output(100_000_000), c.nothing, status="unreadable",
          flags=("the limit is 20 MiB",)),
    Entry("deep-markdown", "nests quotations and lists in its prose a thousand deep",
          lambda: _prose("> " * 1000 + "x\n\n" + "* " * 1000 + "x\n\n" + "[" * 5000 + "`" * 9999)),
    Entry("long-prose", "holds five megabytes of pictures in its prose, as text",
          lambda: _prose("![x](data:image/png;base64," + "A" * 5_000_000 + ")")),
    Entry("prose-formulas", "opens tens of thousands of formulas in its prose and closes none",
          lambda: _prose("\\begin{a}" * 20_000)),
    Entry("lines-of-spaces", "holds a hundred thousand lines of nothing but spaces in its code",
          solved(" \n" * 100_000 + "x = 1")),
    Entry("much-source", "holds seventeen megabytes of comments in its code cells",
          lambda: _cells(17, "#" * 1_000_000), c.nothing, status="unreadable",
          flags=("characters of code",)),
]  # fmt: skip


def _with_output(size: int) -> bytes:
    document = json.loads(c.full().bytes())
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * size}}
    next(x for x in document["cells"] if x["cell_type"] == "code")["outputs"] = [output]
    return json.dumps(document).encode()


def _prose(text: str) -> bytes:
    document = json.loads(c.full().bytes())
    document["cells"].insert(1, {"cell_type": "markdown", "source": text, "metadata": {}})
    return json.dumps(document).encode()
