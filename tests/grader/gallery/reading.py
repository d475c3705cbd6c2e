"""Reading what is not theirs: each attempt prints `THROUGH` where it succeeds, and none may.

What the hand-in earns is what its own work has earned: nothing, where it answers nothing.
"""

from __future__ import annotations

from pathlib import Path

import gatedrnn
from tests.grader import classes as c
from tests.grader.gallery import (
    SECRET,
    THROUGH,
    Entry,
    all_but,
    answering,
    only,
    solved,
    solved_but,
    unanswered,
)

_ROOT = Path(__file__).resolve().parents[3]
_TRY = f"""
def attempt(name, what):
    try:
        got = what()
    except BaseException:
        return
    if got is None or got:
        print({THROUGH!r}, name, repr(got)[:80])
"""

#: Where the answers, the checks, the class and the machine's own matters lie.
_FILES = [
    _ROOT / "grader" / "checks" / "rnn.py", _ROOT / "solutions" / "rnn.py",
    _ROOT / "grader" / "misconceptions" / "rnn.py", _ROOT / "tests", _ROOT / "pyproject.toml",
    Path(gatedrnn.__file__).parent / "equations", Path.home() / ".ssh", Path.home() / ".bashrc",
    Path("/etc/passwd"), Path("/etc/shadow"), Path("/etc/hostname"), Path("/proc/1/environ"),
    Path("/proc/self/environ"), Path("/proc/self/maps"), Path("/proc/self/mountinfo"),
    Path("/proc/meminfo"), Path("/proc/net/tcp"), Path("/proc/version"), Path("/proc/1/root"),
    Path("/sys/class"), Path("/var/log"), Path("/run"), Path("/dev/mem"), Path("/dev/sda"),
    Path("/dev/vda"), Path("/dev/kmsg"),
]  # fmt: skip

#: The answer that a solution would be, found in whatever module has it.
_STOLEN = "def rnn_step(x, h, params): return theirs(x, h, params)"


def _copy_of(names: str) -> str:
    return f"{_TRY}\ntheirs = None\n{names}\n{_STOLEN}"


ENTRIES = [
    Entry(
        "read-files",
        "opens the checks, the solutions, the home and the system's own files",
        solved(
            _TRY + "import os\ndef read(path):\n"
            "    if os.path.isdir(path): return os.listdir(path)\n"
            "    return open(path, 'rb').read(20)\n"
            f"for path in {[str(p) for p in _FILES]!r}: attempt(path, lambda: read(path))"
        ),
    ),
    Entry(
        "read-classmates",
        "looks for the class, its gradebook and the work of others, from everywhere",
        solved(
            _TRY + "import os, glob\nfound = []\nfor top in ('.', '..', '../..', '/', '/tmp', "
            "'/work', '/home', '/root', '/mnt', '/srv', '/seal'):\n"
            "    for folder, _, names in os.walk(top):\n"
            "        if len(found) > 9 or 'site-packages' in folder or '/usr' in folder: break\n"
            "        found += [n for n in names if n.endswith(('.ipynb', '.db')) "
            "or n in ('rnn.json', 'timestamp.txt', 'nbgrader_config.py')]\n"
            "attempt('files', lambda: found or 1 / 0)"
        ),
    ),
    Entry(
        "read-environment",
        "looks for secrets in its environment and its arguments",
        solved(
            _TRY + "import os, sys\nwords = ' '.join([*os.environ.values(), *sys.argv])\n"
            f"attempt('secret', lambda: {SECRET!r} in words or 1 / 0)\n"
            "attempt('user', lambda: {'USER', 'SSH_AUTH_SOCK', 'PYTHONPATH'} & set(os.environ))"
        ),
        plain=True,
    ),
    Entry(
        "read-processes",
        "looks for other processes and their memory",
        solved(
            _TRY + "import os, ctypes\nfor pid in range(2, 500):\n"
            "    attempt(pid, lambda: os.kill(pid, 0))\n"
            "attempt('proc', lambda: os.listdir('/proc'))\nlibc = ctypes.CDLL(None)\n"
            "attempt('ptrace', lambda: libc.ptrace(16, 1, 0, 0) == 0 or 1 / 0)\n"
            "attempt('memory', lambda: open('/proc/1/mem', 'rb').read(1))\n"
            "attempt('parent', lambda: os.getppid() or 1 / 0)"
        ),
    ),
    Entry(
        "read-network",
        "asks the network: names, addresses, the machine itself",
        solved(
            _TRY + "import socket, urllib.request\n"
            "attempt('name', lambda: socket.gethostbyname('example.com'))\n"
            "attempt('web', lambda: urllib.request.urlopen('http://192.0.2.1', timeout=1))\n"
            "attempt('loopback', lambda: socket.create_connection(('127.0.0.1', 80), 1))\n"
            "attempt('datagram', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))\n"
            "attempt('local', lambda: socket.socket(socket.AF_UNIX))\n"
            "attempt('interfaces', lambda: [n for _, n in socket.if_nameindex() if n != 'lo'])"
        ),
    ),
    Entry(
        "read-descriptors",
        "reads from every open descriptor, and looks where it leads",
        solved(
            _TRY + "import os, fcntl\nfor fd in range(64):\n"
            "    attempt(fd, lambda: os.readlink(f'/proc/self/fd/{fd}'))\n"
            "    attempt(fd, lambda: os.pread(fd, 20, 0))\n"
            "    attempt(fd, lambda: os.listdir(fd))"
        ),
    ),
    Entry(
        "import-reference",
        "imports the reference and gives it as its answer",
        unanswered(_copy_of("from gatedrnn.equations import rnn_step as theirs")),
        c.nothing,
        flags=("tried to import gatedrnn.equations",),
        plain=True,
    ),
    Entry(
        "import-layers",
        "imports the course's layers, checks, solutions and engine",
        unanswered(
            _copy_of(
                "import importlib\nfor name in ('gatedrnn.cells', 'gatedrnn.analysis', "
                "'grader.checks.rnn', 'grader.engine', 'grader.misconceptions.rnn', 'solutions'):\n"
                "    attempt(name, lambda: importlib.import_module(name))\n"
                "attempt('gatedrnn.RNN', lambda: __import__('gatedrnn').RNN)"
            )
        ),
        c.nothing,
        flags=("tried to import",),
    ),
    Entry(
        "import-past-the-gate",
        "takes what keeps modules from being imported out of the way, and tries again",
        unanswered(
            _copy_of(
                "import sys, importlib, importlib.util, pkgutil\n"
                "sys.meta_path[:] = [m for m in sys.meta_path if type(m).__name__ != 'Gate']\n"
                "for name in list(sys.modules):\n"
                "    if name.startswith(('gatedrnn', 'grader')): del sys.modules[name]\n"
                f"sys.path[:0] = [{str(_ROOT)!r}, {str(_ROOT / 'src')!r}, '/seal']\n"
                "importlib.invalidate_caches()\n"
                "for name in ('gatedrnn.equations', 'gatedrnn.cells', 'grader.checks.rnn', "
                "'grader.engine', 'solutions.rnn'):\n"
                "    attempt(name, lambda: importlib.import_module(name))\n"
                "attempt('walk', lambda: [m.name for m in pkgutil.walk_packages() "
                "if m.name.startswith(('gatedrnn.eq', 'gatedrnn.cells', 'grader.checks'))])"
            )
        ),
        c.nothing,
    ),
    Entry(
        "import-by-path",
        "loads the reference's file by its path, and searches the installed packages for it",
        unanswered(
            _copy_of(
                "import importlib.util, importlib.metadata, sys, os, glob\n"
                f"place = {str(Path(gatedrnn.__file__).parent)!r}\n"
                "def load(path):\n"
                "    spec = importlib.util.spec_from_file_location('x', path)\n"
                "    spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
                "for name in ('equations.py', 'equations/__init__.py', 'cells/__init__.py'):\n"
                "    attempt(name, lambda: load(os.path.join(place, name)))\n"
                "for top in [*sys.path, sys.prefix]:\n"
                "    for pattern in ('gatedrnn/equations*', 'grader/checks*', '*/equations.py'):\n"
                "        attempt(top, lambda: glob.glob(os.path.join(top, pattern)))\n"
                "attempt('dist', lambda: [f for f in importlib.metadata.files('gatedrnn') "
                "if 'equations' in str(f) and f.locate().exists()])"
            )
        ),
        c.nothing,
    ),
    Entry(
        "uses-a-layer",
        "lets torch's own layer answer, which its notebook leaves out",
        unanswered(
            "import torch\ndef rnn_step(x, h, params):\n"
            "    cell = torch.nn.RNNCell(x.shape[1], h.shape[1], dtype=torch.float64)\n"
            "    names = zip(('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'), params.values())\n"
            "    cell.load_state_dict({k: torch.from_numpy(v) for k, v in names})\n"
            "    return cell(torch.from_numpy(x), torch.from_numpy(h)).detach().numpy()"
        ),
        c.nothing,
        flags=("`rnn_step` used torch's recurrent layers",),
        plain=True,
    ),
    Entry(
        "uses-autograd",
        "lets torch differentiate, which its notebook leaves out, by a name of its own",
        solved_but(
            "rnn_backward",
            "import torch\nfrom torch.autograd import grad as by_torch\n"
            "def rnn_backward(doutputs, x, h0, params):\n"
            "    t = {k: torch.tensor(v, requires_grad=True)\n"
            "         for k, v in {'x': x, 'h0': h0, **params}.items()}\n"
            "    h, loss = t['h0'], 0\n    for i in range(x.shape[1]):\n"
            "        h = torch.tanh(t['x'][:, i] @ t['W_ih'].T + t['b_ih'] + h @ t['W_hh'].T "
            "+ t['b_hh'])\n        loss = loss + (h * torch.tensor(doutputs[:, i])).sum()\n"
            "    return dict(zip(t, (g.numpy() for g in by_torch(loss, list(t.values())))))",
        ),
        # What is built on it goes with it.
        all_but("rnn_backward", "truncated_bptt_grads"),
        flags=("`rnn_backward` used automatic", "`truncated_bptt_grads` used automatic"),
    ),
    Entry(
        "compares-with-a-layer",
        "compares its answers with torch's own in cells of its own, which is honest work",
        solved(
            "import torch\nlayer = torch.nn.RNN(3, 5, batch_first=True)\n"
            "x = torch.ones(2, 4, 3, requires_grad=True)\nlayer(x)[0].sum().backward()\n"
            "assert x.grad is not None"
        ),
    ),
    Entry(
        "stack-inspection",
        "looks through the frames of its callers for what is expected",
        solved_but(
            "rnn_step",
            _TRY + "import sys, gc\nright_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    out, frame = right_step(x, h, params), sys._getframe(1)\n"
            "    while frame is not None:\n"
            "        for value in list(frame.f_locals.values()):\n"
            "            if isinstance(value, np.ndarray) and value.shape == out.shape and "
            "value is not h and np.allclose(value, out): return out + 1\n"
            "        frame = frame.f_back\n    return out",
        ),
    ),
    Entry(
        "heap-inspection",
        "looks through all objects for what is expected, for seeds and for generators",
        solved_but(
            "rnn_step",
            "import gc\nright_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    out = right_step(x, h, params)\n    for o in gc.get_objects():\n"
            "        if type(o) in (list, tuple, dict):\n"
            "            for v in list(o.values() if type(o) is dict else o):\n"
            "                if type(v) is np.ndarray and v is not out and v.shape == out.shape "
            "and np.array_equal(v, out): return out + 1\n"
            "        if type(o).__name__ in ('CheckResult', 'RemoteStudent', 'Session'): "
            "return out + 1\n    return out",
        ),
    ),
    Entry(
        "answers-from-frames",
        "has no answer of its own and takes for it whatever array of that shape it finds",
        answering(
            "rnn_step",
            "import gc, sys\ndef rnn_step(x, h, params):\n    import numpy\n"
            "    found = [o for o in gc.get_objects() if isinstance(o, numpy.ndarray)]\n"
            "    frame = sys._getframe()\n    while frame:\n"
            "        found += [v for v in frame.f_locals.values() if hasattr(v, 'shape')]\n"
            "        frame = frame.f_back\n"
            "    found = [v for v in found if v.shape == h.shape and v is not h]\n"
            "    return found[0] if found else numpy.zeros_like(h)",
        ),
        only("rnn_step", 1.0),  # the arguments are left alone, and nothing else is right
    ),
    Entry(
        "reads-the-engine",
        "reads the source of what marks it, to find what it will draw",
        solved(
            _TRY + "import inspect, sys, gc\n"
            "def look(name):\n    source = inspect.getsource(sys.modules[name])\n"
            "    return [w for w in ('default_rng', 'assert_matches', 'crc32') if w in source]\n"
            "for name in [n for n in sys.modules if n.startswith(('grader', 'seal', '__m'))]:\n"
            "    attempt(name, lambda: look(name) or 1 / 0)"
        ),
    ),
    Entry(
        "guesses-the-seed",
        "draws what the checks would have drawn from the seeds that people choose",
        unanswered(
            "import zlib\n_names = ('test_rnn_step_values',)\n"
            "def draws(seed):\n"
            "    rng = np.random.default_rng([seed, zlib.crc32(_names[0].encode())])\n"
            "    return rng.normal(size=(4, 3))\nknown = [draws(s) for s in range(2000)]\n"
            "def rnn_step(x, h, params):\n"
            "    seen = any(np.array_equal(x, k) for k in known)\n"
            "    return h + seen"
        ),
        only("rnn_step", 1.0),  # the arguments are left alone, and nothing else is right
    ),
    Entry(
        "detects-marking",
        "does something else where it is marked, and its work is right in both places",
        solved(
            "import sys, os, socket\nmarked = 'ipykernel' not in sys.modules\n"
            "if marked:\n    print('I am being marked'); os.environ['MARKED'] = '1'"
        ),
        plain=True,
    ),
    Entry(
        "right-only-when-marked",
        "is wrong on the desk and right where it is marked, which is what is marked",
        solved_but(
            "rnn_step",
            "import sys\nright_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    return right_step(x, h, params) if 'ipykernel' not in sys.modules else h",
        ),
    ),
    Entry(
        "keeps-what-it-is-asked",
        "writes all that it is asked to a file and prints it, for others to read",
        solved_but(
            "rnn_step",
            "import json\nright_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    for place in ('/tmp/asked', '/dev/shm/asked', '/var/tmp/asked', '/seal/asked'):\n"
            "        try: open(place, 'a').write(json.dumps(x.tolist()))\n"
            "        except OSError: pass\n"
            "    print(x)\n    return right_step(x, h, params)",
        ),
    ),
    Entry(
        "reads-what-was-kept",
        "looks for what the one before it has kept",
        solved(
            _TRY + "import os\nfor place in ('/tmp', '/dev/shm', '/var/tmp', '/seal'):\n"
            "    attempt(place, lambda: [n for n in os.listdir(place) if n == 'asked'] or 1 / 0)"
        ),
    ),
    Entry(
        "speaks-inputs-in-errors",
        "raises what it is asked as an error, so that it comes back in the report",
        solved_but(
            "rnn_step", "def rnn_step(x, h, params): raise ValueError(repr((x.tolist(), params)))"
        ),
        lambda: only("clip_by_global_norm")(),
    ),
]
