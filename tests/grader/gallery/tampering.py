"""Tampering with the tools that the checks would use: nothing is gained, and nobody else is hurt.

Where a cell only tampers, in a notebook that answers nothing, its work has earned nothing. Where it
tampers in a notebook that is solved, the work has still earned its points, unless it has broken
itself.
"""

from __future__ import annotations

import functools

import numpy as np

from grader import units, wire
from grader.engine import run_checks
from grader.student import LocalStudent
from tests.grader import classes as c
from tests.grader.gallery import Entry, all_but, solved, solved_but, solved_then, unanswered


def for_all(template: str) -> str:
    """The template for each function that the unit asks for."""
    names = [name for exercise in units.exercises(c.SLUG) for name in exercise.asked]
    return "\n".join(template.replace("NAME", name) for name in names)


#: A function for each name that gives something of the right shape, so that only a check which has
#: been tampered with would take it for right.
_GUESSES = """
def rnn_step(x, h, params): return np.zeros_like(h) + 0.5
def rnn_forward(x, h0, params): return np.zeros((*x.shape[:2], h0.shape[1])) + 0.5, h0 + 1
def rnn_backward(doutputs, x, h0, params):
    return {"x": x + 1, "h0": h0 + 1, **{k: v + 1 for k, v in params.items()}}
def truncated_bptt_grads(doutputs, x, h0, params, k): return rnn_backward(doutputs, x, h0, params)
def clip_by_global_norm(grads, max_norm): return dict(grads), 1e9
"""

_PATCHES = {
    "numpy": "makes NumPy say that all arrays are equal",
    "numpy-testing": "replaces the functions of numpy.testing",
    "torch": "makes torch say that all tensors are equal",
    "pytest": "replaces pytest's assertions and raises its exit",
    "math-json": "replaces functions of math and json",
    "builtins": "replaces builtins for every module",
    "modules": "puts its own modules in the place of all others",
    "import": "replaces __import__ and the import system",
    "trace": "sets trace and profile functions that change what is returned",
    "hooks": "replaces the hooks of the interpreter and leaves work for its end",
    "course": "replaces check, hint and everything that the course has put into the process",
    "encoder": "replaces the encoder of what goes to the marking process",
    "shell": "replaces IPython's shell and what get_ipython gives",
    "objects": "searches all objects for the one that answers and replaces its methods",
    "frames": "walks up the frames of its caller and changes what it finds there",
    "check": "replaces check and hint",
    "path": "empties the paths and the finders of modules",
    "annotations": "raises exceptions that look like those of a passed check",
}

_CODE = {
    "numpy": "np.allclose = np.array_equal = np.isclose = np.equal = lambda *a, **k: True\n"
    "np.abs = lambda a: np.zeros(1)\nnp.ndarray = object\nnp.isfinite = lambda a: a == a",
    "numpy-testing": "import numpy.testing as t\n"
    "for n in dir(t):\n    if n.startswith('assert'): setattr(t, n, lambda *a, **k: None)",
    "torch": "import torch\ntorch.equal = torch.allclose = lambda *a, **k: True\n"
    "torch.testing.assert_close = lambda *a, **k: None\n"
    "torch.Tensor.__eq__ = lambda *a: True\ntorch.Tensor.numpy = lambda self: np.zeros(3)",
    "pytest": "try:\n    import pytest, _pytest\n    pytest.fail = pytest.skip = lambda *a: None\n"
    "    pytest.raises = pytest.approx = lambda *a, **k: True\nexcept ImportError: pass\n"
    "import unittest\nunittest.TestCase.assertEqual = lambda *a: None",
    "math-json": "import math, json\nmath.isclose = lambda *a, **k: True\nmath.prod = lambda a: 1\n"
    'json.dumps = lambda *a, **k: \'{"s":"full marks"}\'\n'
    "json.loads = lambda *a, **k: {'i': '0'}",
    "builtins": "import builtins\nbuiltins.abs = builtins.max = lambda *a, **k: 0\n"
    "builtins.isinstance = lambda *a: True\nbuiltins.all = lambda *a: True\n"
    "builtins.any = lambda *a: False\nbuiltins.AssertionError = ValueError",
    "modules": "import sys, types\nclass Yes(types.ModuleType):\n"
    "    def __getattr__(self, name): return lambda *a, **k: True\n"
    "for name in ('pytest', 'gatedrnn', 'gatedrnn.equations', 'grader', 'grader.compare', "
    "'grader.engine', 'grader.checks', 'numpy.testing'): sys.modules[name] = Yes(name)",
    "import": "import builtins, sys\nreal = builtins.__import__\n"
    "builtins.__import__ = lambda name, *a, **k: real('math', *a[:2])\n"
    "sys.meta_path.clear(); sys.path_hooks.clear(); sys.path.clear()",
    "trace": "import sys, threading\ndef trace(frame, event, arg):\n"
    "    frame.f_trace_opcodes = True\n"
    "    return trace\nsys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)",
    "hooks": "import sys, atexit, gc, os\nsys.excepthook = sys.displayhook = lambda *a: None\n"
    "atexit.register(lambda: print('full marks'))\n"
    "sys.stdout = sys.stderr = sys.__stdout__ = None\n"
    "gc.callbacks.append(lambda *a: None)\nsys.addaudithook(lambda *a: None)\n"
    "class Late:\n    def __del__(self): sys.exit(0)\nlate = Late()",
    "course": "import sys, grader\ngrader.check = lambda *a, **k: 1000\n"
    "for name, module in list(sys.modules.items()):\n"
    "    if name.startswith('grader'):\n"
    "        for key in list(vars(module)):\n"
    "            if not key.startswith('__'):\n"
    "                setattr(module, key, lambda *a, **k: 1000)",
    "encoder": f"import sys\nwire = sys.modules['grader.wire']\n"
    f"wire.dumps = lambda value: {wire.dumps({'id': 1, 'kind': 'value', 'value': 1000})!r}",
    "shell": "shell = get_ipython()\nshell.user_ns = {}\nshell.events.callbacks.clear()\n"
    "shell.run_cell = shell.run_code = lambda *a, **k: None\n"
    "import builtins, IPython\nbuiltins.get_ipython = IPython.get_ipython = lambda: None\n"
    "shell.display_formatter = shell.display_pub = None",
    "objects": "import gc\nfor o in gc.get_objects():\n    try:\n"
    "        if type(o).__name__ in ('Desk', 'Room', 'Channel'):\n"
    "            type(o).answer = type(o)._call = type(o).send = lambda *a, **k: {'kind': 'value', "
    "'value': 1000}\n    except Exception: pass",
    "frames": "import sys\ndef rnn_step(x, h, params):\n    frame = sys._getframe()\n"
    "    while frame:\n        for d in (frame.f_globals, frame.f_locals):\n"
    "            for k in ('expected', 'want', 'outcome', 'student', 'rng', 'seed'):\n"
    "                if k in d: d[k] = x\n        frame = frame.f_back\n    return h",
    "annotations": "class Passed(Exception): pass\nPassed.__module__ = '_pytest.outcomes'\n"
    "Passed.__qualname__ = Passed.__name__ = 'Skipped'\n"
    "def rnn_step(*a): raise Passed('1 passed')\n"
    "def rnn_forward(*a): raise SystemExit(0)\ndef rnn_backward(*a): raise KeyboardInterrupt",
}

#: What the tampering itself defines anew.
_REDEFINED = {
    "annotations": ("rnn_step", "rnn_forward", "rnn_backward", "truncated_bptt_grads"),
}


@functools.cache
def _guessed(name: str) -> dict[str, float]:
    """What the guesses earn by themselves: right shapes, and arguments that are left alone."""
    space: dict[str, object] = {"np": np}
    exec(_GUESSES, space)
    for other in _REDEFINED.get(name, ()):
        space[other] = None
    earned = c.nothing()
    for result in run_checks(c.SLUG, LocalStudent(space), seed=1):
        earned[result.exercise] += result.earned
    return earned


#: A cell that sends bytes on every descriptor that it can find.
_WRITE_ALL = (
    "import os, socket\ndef write_all(data):\n    for fd in range(3, 64):\n"
    "        try: os.write(fd, data)\n        except OSError: pass\n"
)
_FRAME = wire.dumps({"id": 2, "kind": "value", "value": 1000, "good": True})
_ENDS = "ended the process"


def _replies(change: str, with_key: str = "'value'") -> str:
    """A cell that makes this change in each later reply that has this key."""
    return (
        "import sys\nwire = sys.modules['grader.wire']\ntrue_dumps = wire.dumps\n"
        "def dumps(value):\n"
        f"    if type(value) is dict and 'id' in value and {with_key} in value: {change}\n"
        "    return true_dumps(value)\nwire.dumps = dumps"
    )


#: A frame written by hand: to build such a dictionary takes as long here as it would there.
_COLLIDING = _replies(
    'return (\'{"dict":[[{"s":"id"},{"i":"%s"}],[{"s":"value"},{"dict":[%s]}]]}\\n\' % ('
    "hex(value['id']), ','.join('[{\"i\":\"%s\"},null]' % hex(n * (2**61 - 1)) "
    "for n in range(45_000)))).encode()"
)

ENTRIES = [
    *[
        Entry(
            f"patch-{name}",
            f"{does}, and answers nothing",
            # The tampering comes last, so that it also meets what the guesses are made with.
            unanswered(_GUESSES, _CODE[name]),
            # After these two nothing can be called any more, or nothing that it gives be sent.
            c.nothing if name in ("shell", "numpy") else functools.partial(_guessed, name),
            plain=name in ("numpy", "builtins", "encoder", "objects", "shell", "hooks"),
            perhaps=(_ENDS, "ran longer than"),  # some of it breaks what it runs in
        )
        for name, does in _PATCHES.items()
        if name in _CODE
    ],
    *[
        Entry(f"solved-patch-{name}", f"{_PATCHES[name]}, after honest work", solved_then(code))
        for name, code in (
            ("numpy-testing", _CODE["numpy-testing"]),
            ("pytest", _CODE["pytest"]),
            ("trace", "import sys; sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)"),
            ("hooks", _CODE["hooks"]),
            ("check", "import grader; grader.check = grader.hint = None; check = hint = None"),
            ("modules", _CODE["modules"]),
            ("path", "import sys; sys.path.clear(); sys.argv = None; sys.meta_path.clear()"),
        )
    ],
    Entry("forged-frame-in-cell", "sends a forged answer from a cell",
          solved(_WRITE_ALL + f"import struct\nframe = {_FRAME!r}\n"
                 "write_all(struct.pack('>Q', len(frame)) + frame)"),
          flags=(_ENDS,), plain=True),
    Entry("forged-frame-in-call", "sends a forged answer from a call, before its own",
          solved_but("clip_by_global_norm", _WRITE_ALL + "import struct\n"
                     "def clip_by_global_norm(*a, **k):\n    for n in range(1, 200):\n"
                     f"        frame = {_FRAME!r}.replace(b'0x2', hex(n).encode())\n"
                     "        write_all(struct.pack('>Q', len(frame)) + frame)\n    return 0"),
          all_but("clip_by_global_norm"), flags=(_ENDS,)),
    Entry("garbage-on-the-line", "sends a megabyte of garbage on every descriptor",
          solved(_WRITE_ALL + "write_all(b'x' * 2**20)"), flags=(_ENDS,), plain=True),
    Entry("enormous-frame", "announces a frame of an exabyte",
          solved(_WRITE_ALL + "write_all(b'\\x0f' + b'\\xff' * 7 + b'x' * 9999)"),
          flags=(_ENDS,)),
    Entry("slow-frame", "announces a frame and sends it drop by drop",
          solved_but("clip_by_global_norm", _WRITE_ALL + "import time\n"
                     "def clip_by_global_norm(*a, **k):\n"
                     "    write_all((10**6).to_bytes(8, 'big'))\n"
                     "    while True: write_all(b' '); time.sleep(0.1)"),
          all_but("clip_by_global_norm"), flags=("ran longer than 2 s",)),
    Entry("deep-frame", "sends a frame of nested brackets in place of its answer",
          solved_but("clip_by_global_norm", _WRITE_ALL + "import struct\n"
                     "def clip_by_global_norm(*a, **k):\n    frame = b'[' * 10**6\n"
                     "    write_all(struct.pack('>Q', len(frame)) + frame)"),
          all_but("clip_by_global_norm"), flags=(_ENDS,)),
    Entry("forged-frame-with-its-number", "reads the number of its call and answers before itself",
          unanswered(_WRITE_ALL + "import struct, sys\ndef rnn_step(x, h, params):\n"
                     "    frame = sys._getframe()\n"
                     "    while 'request' not in frame.f_locals: frame = frame.f_back\n"
                     "    said = sys.modules['grader.wire'].dumps(\n"
                     "        {'kind': 'value', 'value': h + 1, 'keywords': {},\n"
                     "        'id': frame.f_locals['request']['id'],\n"
                     "        'arguments': (x, h, params)})\n"
                     "    write_all(struct.pack('>Q', len(said)) + said)\n    return h"),
          c.nothing, flags=(_ENDS,)),
    Entry("reply-of-odd-kinds", "has arrays where the parts of its replies are words",
          unanswered(_GUESSES, _replies("value['kind'] = np.ones(2)")), c.nothing),
    Entry("reply-of-odd-tools", "says with arrays which tools it has tried, beside right answers",
          solved(_replies("value['tried'] = (np.ones(2),)"))),
    Entry("reply-of-odd-outputs", "shows things that are no texts of kinds that are arrays",
          solved(_replies("value['shown'] = [{'kind': np.ones(2), 'text': 'x'}]", "'shown'"))),
    Entry("reply-of-odd-number", "gives an array as the number of its reply",
          solved(_replies("value['id'] = np.ones(2)", "'id'")), flags=(_ENDS,)),
    Entry("arguments-held-back", "writes into its arguments and does not give them back",
          unanswered(_replies("value['arguments'] = ()") + "\ndef rnn_step(x, h, params):\n"
                     "    h[:] = np.tanh(x @ params['W_ih'].T + params['b_ih'] "
                     "+ h @ params['W_hh'].T + params['b_hh'])\n    return h"), c.nothing),
    Entry("colliding-keys", "sends dictionaries whose keys all have one hash",
          unanswered(_GUESSES, _COLLIDING), c.nothing, flags=(_ENDS,)),
    Entry("closed-line", "closes every descriptor in a cell",
          solved("import os\nos.closerange(0, 256)"), flags=(_ENDS,), plain=True),
    Entry("other-streams", "puts files in place of its standard streams and descriptors",
          solved("import os, sys, io\nsys.stdin = sys.stdout = sys.stderr = io.StringIO()\n"
                 "null = os.open('/dev/null', os.O_RDWR)\n"
                 "for fd in (0, 1, 2): os.dup2(null, fd)\nprint('gone')"), plain=True),
    Entry("reads-its-own-line", "reads requests from the line before they are served",
          solved_but("clip_by_global_norm", "import socket, os\n"
                     "def clip_by_global_norm(*a, **k):\n    for fd in range(3, 64):\n"
                     "        try: socket.socket(fileno=os.dup(fd)).recv(100)\n"
                     "        except OSError: pass\n    return 1"),
          all_but("clip_by_global_norm"), flags=("ran longer than 2 s",)),
    Entry("lists-its-descriptors", "looks through /proc/self/fd and /dev/fd",
          solved("import os\nfor place in ('/proc/self/fd', '/dev/fd'):\n    try:\n"
                 "        for fd in os.listdir(place): print(os.readlink(f'{place}/{fd}'))\n"
                 "    except OSError as error: print(error)"), plain=True),
    Entry("late-thread", "starts a thread that tampers once its functions are called",
          solved_but("clip_by_global_norm", "import threading, time\nseen = threading.Event()\n"
                     "def later():\n    seen.wait()\n    import os; os._exit(0)\n"
                     "threading.Thread(target=later, daemon=True).start()\n"
                     "def clip_by_global_norm(*a, **k): seen.set(); time.sleep(1); return 1"),
          all_but("clip_by_global_norm"), flags=(_ENDS,), plain=True),
    Entry("sleeping-thread", "leaves a thread that would wake long after",
          solved("import threading, time, os\n"
                 "def later():\n    time.sleep(3600); os._exit(0)\n"
                 "threading.Thread(target=later).start()\nthreading.Timer(3000, print).start()"),
          plain=True),
    Entry("signals", "puts its own handlers on every signal, and an alarm",
          solved("import signal, faulthandler\nfor n in range(1, 65):\n"
                 "    try: signal.signal(n, lambda *a: None)\n"
                 "    except (OSError, ValueError): pass\n"
                 "signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)\n"
                 "faulthandler.enable(open('faults', 'w'))"), plain=True),
    Entry("ctypes-pokes", "writes into the interpreter's own small integers and into None",
          unanswered(_GUESSES, "import ctypes, sys\nctypes.c_size_t.from_address(id(1000)).value\n"
                     "true = ctypes.c_long.from_address(id(0) + 24)\ntrue.value = 1"),
          c.nothing, perhaps=(_ENDS,)),
    Entry("frozen-exit", "registers what runs when the process forks and exits",
          solved("import os, atexit, weakref, threading\n"
                 "os.register_at_fork(before=lambda: os._exit(0), after_in_child=print)\n"
                 "threading._register_atexit(print)\natexit.register(os.abort)"), plain=True),
    Entry("name-tricks", "defines functions named after the parts of the protocol",
          unanswered(for_all("def NAME(*a, **k): return {'kind': 'value', 'value': 1000, 'id': 1, "
                              "'s': 'x', 'array': ['float64', [10**9]]}")), c.nothing),
    Entry("module-getattr", "puts a namespace that makes up every name in place of its own",
          unanswered("class Any(dict):\n"
                     "    def __missing__(self, key): return lambda *a, **k: a[0]\n"
                     "    def __contains__(self, key): return True\n"
                     "get_ipython().user_ns = Any(get_ipython().user_ns)"), c.nothing),
]  # fmt: skip
