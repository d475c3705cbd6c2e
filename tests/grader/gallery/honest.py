"""Honest oddities: whatever else is in the notebook, the work in it earns all its points."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.grader import classes as c
from tests.grader.gallery import Entry, answering, only, solved, solved_but, solved_then


def changed(change: Callable[[dict], object]) -> Callable[[], bytes]:
    """The solved notebook as a JSON document, after `change`."""

    def make() -> bytes:
        document = json.loads(c.full().bytes())
        change(document)
        return json.dumps(document).encode()

    return make


def _answers_backwards(document: dict) -> None:
    places = [i for i, cell in enumerate(document["cells"]) if cell["id"].endswith("-answer")]
    texts = [document["cells"][i] for i in places]
    for place, cell in zip(places, reversed(texts), strict=True):
        document["cells"][place] = cell


def _prose_edited(document: dict) -> None:
    for cell in document["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "my notes: <b>bold</b> $x_t$ [a](b) ![c](data:image/png;base64,AAAA)"


def _run_before(document: dict) -> None:
    for number, cell in enumerate(document["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": ["hello\n"]},
                {"output_type": "stream", "name": "stderr", "text": ["a warning\n"]},
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"image/png": "AAAA" * 1000, "text/plain": ["<Figure>"]},
                },
            ]


_STEP = """
    return np.tanh(x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"])
"""

ENTRIES = [
    Entry("solution", "is the worked solution", c.full().bytes, plain=True),
    Entry(
        "noise",
        "prints, warns, logs and writes to standard error",
        solved(
            "import warnings, sys, logging\nprint('x')\nwarnings.warn('old')\n"
            "sys.stderr.write('err\\n')\nlogging.error('bad')\nlogging.basicConfig(level=0)"
        ),
        plain=True,
    ),
    Entry("megabyte", "prints a megabyte", solved("print('x' * 10**6)"), plain=True),
    Entry(
        "noisy-functions",
        "prints and warns in each call of its functions",
        solved_but(
            "rnn_step",
            "import warnings, sys\nright_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    print('called', x.shape)\n    sys.stderr.write('err')\n"
            "    warnings.warn('odd')\n    return right_step(x, h, params)",
        ),
        plain=True,
    ),
    Entry(
        "plots",
        "draws a figure and leaves it open",
        solved(
            "%matplotlib inline\nimport matplotlib.pyplot as plt",
            "fig, ax = plt.subplots()\nax.plot([1, 2, 3])\nplt.show()",
        ),
    ),
    Entry(
        "failing-scratch",
        "has scratch cells that fail in every way",
        solved("1 / 0", "undefined_name", "def broken(:", "assert False", "raise SystemExit(3)"),
        plain=True,
    ),
    Entry(
        "raises-on-purpose",
        "shows an error of its own kind, with an odd text",
        solved(
            "class Mine(Exception):\n    def __str__(self): raise ValueError('no text')\n"
            "raise Mine()"
        ),
    ),
    Entry(
        "interrupts-itself",
        "raises KeyboardInterrupt and GeneratorExit in cells",
        solved("raise KeyboardInterrupt", "raise GeneratorExit"),
        plain=True,
    ),
    Entry(
        "shadows",
        "uses the names of builtins and modules for its own values",
        solved(
            "list = [1]; id = 3; type = 'x'; len = None; print = 5; open = 7\n"
            "getattr = callable = str = repr = set = Exception = 0"
        ),
        plain=True,
    ),
    Entry(
        "helpers",
        "is written with helpers of other names",
        answering(
            "rnn_step",
            "def _affine(a, W, b): return a @ W.T + b\n"
            "def my_tanh(u): return 2 / (1 + np.exp(-2 * np.clip(u, -300, 300))) - 1\n"
            "def rnn_step(x, h, params):\n"
            "    return my_tanh(_affine(x, params['W_ih'], params['b_ih'])"
            " + _affine(h, params['W_hh'], params['b_hh']))",
        ),
        only("rnn_step"),
    ),
    Entry(
        "magics",
        "uses magics and shell lines",
        solved(
            "%timeit -n1 -r1 1 + 1",
            "%%time\nx = 3",
            "!ls",
            "files = !echo hello",
            "%%bash\necho hello",
            "%pip --version",
            "%load_ext autoreload\n%autoreload 2",
            "%who\n%pwd\n%cd .\n%env\n%config InlineBackend.figure_format = 'retina'",
            "%no_such_magic",
            "np?",
        ),
    ),
    Entry(
        "writes-a-file",
        "writes a module of its own with %%writefile and imports it",
        solved("%%writefile mine.py\nvalue = 3", "import mine\nassert mine.value == 3"),
    ),
    Entry(
        "cell-magics",
        "defines its answers under %%time and %%capture",
        lambda: _under_magics("%%time", "%%capture", "%%prun -q"),
    ),
    Entry(
        "awaits",
        "awaits in a cell and runs an event loop",
        solved(
            "import asyncio\nawait asyncio.sleep(0)\n"
            "async def f(): return 3\nassert await f() == 3",
            "await asyncio.gather(*[asyncio.sleep(0) for _ in range(3)])",
        ),
        plain=True,
    ),
    Entry(
        "typed",
        "is written with type hints, keyword arguments and defaults",
        answering(
            "rnn_step",
            "from __future__ import annotations\nfrom typing import Any\n"
            "def rnn_step(x: np.ndarray, h: np.ndarray, params: dict[str, np.ndarray], "
            "verbose: bool = False) -> np.ndarray:" + _STEP,
        ),
        only("rnn_step"),
    ),
    Entry(
        "lambda",
        "is a lambda",
        answering(
            "rnn_step",
            'rnn_step = lambda x, h, p: np.tanh(x @ p["W_ih"].T + p["b_ih"] + h @ p["W_hh"].T '
            '+ p["b_hh"])',
        ),
        only("rnn_step"),
        plain=True,
    ),
    Entry(
        "partial",
        "is a functools.partial",
        answering(
            "rnn_step",
            "import functools\ndef general(f, x, h, params):\n    return f(x @ params['W_ih'].T"
            " + params['b_ih'] + h @ params['W_hh'].T + params['b_hh'])\n"
            "rnn_step = functools.partial(general, np.tanh)",
        ),
        only("rnn_step"),
    ),
    Entry(
        "callable-object",
        "is an instance of a class with __call__",
        answering(
            "rnn_step",
            "class Step:\n  calls = 0\n  def __call__(self, x, h, params):\n"
            "    self.calls += 1" + _STEP + "\nrnn_step = Step()",
        ),
        only("rnn_step"),
    ),
    Entry(
        "method",
        "is a bound method, and a static one of a nested class",
        answering(
            "rnn_step",
            "class Net:\n  class Inner:\n    @staticmethod\n    def step(x, h, p): return np.tanh("
            "x @ p['W_ih'].T + p['b_ih'] + h @ p['W_hh'].T + p['b_hh'])\n"
            "rnn_step = Net.Inner().step",
        ),
        only("rnn_step"),
    ),
    Entry(
        "decorated",
        "is wrapped in a decorator, with a cached helper",
        answering(
            "rnn_step",
            "import functools, time\n@functools.lru_cache\ndef keys(prefix): "
            "return tuple(f'{prefix}_{e}' for e in ('ih', 'hh'))\n"
            "def timed(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n"
            "        t = time.time()\n        return f(*a, **k)\n    return g\n"
            "@timed\ndef rnn_step(x, h, params):\n    assert keys('W')[0] == 'W_ih'" + _STEP,
        ),
        only("rnn_step"),
    ),
    Entry(
        "closure",
        "is a nested function that a function gives",
        answering(
            "rnn_step",
            "def make():\n    count = 0\n    def step(x, h, params):\n        nonlocal count\n"
            "        count += 1\n    " + _STEP + "\n    return step\nrnn_step = make()",
        ),
        only("rnn_step"),
    ),
    Entry(
        "numpy-scalars",
        "gives the norm as a NumPy scalar, an array of no dimension in its place",
        solved_but(
            "clip_by_global_norm",
            "right_clip = clip_by_global_norm\ndef clip_by_global_norm(*a, **k):\n"
            "    grads, norm = right_clip(*a, **k)\n    return grads, np.asarray(norm)",
        ),
    ),
    Entry(
        "list-for-tuple",
        "gives a list where a tuple is asked",
        solved_but(
            "rnn_forward",
            "right_forward = rnn_forward\n"
            "def rnn_forward(*a, **k): return list(right_forward(*a, **k))",
        ),
    ),
    Entry(
        "named-tuple",
        "gives a named tuple, and an ordered dictionary",
        solved_but(
            "rnn_forward",
            "import collections\nright_forward = rnn_forward\n"
            "Result = collections.namedtuple('Result', 'outputs h')\n"
            "def rnn_forward(*a, **k): return Result(*right_forward(*a, **k))",
        ),
    ),
    Entry(
        "ordered-dict",
        "gives its gradients in an OrderedDict",
        solved_but(
            "rnn_backward",
            "import collections\nright_backward = rnn_backward\n"
            "def rnn_backward(*a, **k): return collections.OrderedDict(right_backward(*a, **k))",
        ),
    ),
    *[
        Entry(
            f"array-{name}",
            f"gives an array that is {words}",
            answering(
                "rnn_step",
                "right_step = rnn_step\ndef rnn_step(x, h, params):\n"
                f"    out = right_step(x, h, params)\n    {code}\n    return out",
            ),
            only("rnn_step"),
        )
        for name, words, code in (
            ("fortran", "in Fortran's order", "out = np.asfortranarray(out)"),
            ("reversed", "backwards", "out = out[::-1, ::-1].copy()[::-1, ::-1]"),
            ("big-endian", "of the other byte order", "out = out.astype('>f8')"),
            ("read-only", "read-only", "out.flags.writeable = False"),
            ("broadcast", "of stride zero", "out = np.broadcast_to(out, (1, *out.shape))[0]"),
            ("unaligned", "not aligned in memory",
             "raw = np.zeros(out.nbytes + 1, np.uint8)[1:]\n"
             "    new = raw.view(out.dtype).reshape(out.shape)\n    new[:] = out\n    out = new"),
            ("strided", "every other column of a wider one",
             "out = np.repeat(out, 2, axis=1)[:, ::2]"),
            ("matrix", "a np.matrix", "out = np.asmatrix(out)"),
            ("masked", "of NumPy's masked arrays", "out = np.ma.masked_array(out)"),
            ("own-class", "of a class of its own, with an axis that has a name",
             "class Named(np.ndarray): axes = ('batch', 'hidden')\n    out = out.view(Named)"),
            ("long", "of long doubles", "out = out.astype(np.longdouble)"),
            ("from-torch", "a view of a tensor's memory",
             "import torch; out = torch.from_numpy(out).numpy()"),
        )
    ],  # fmt: skip
    Entry("answers-backwards", "has its answers in the opposite order",
          changed(_answers_backwards), plain=True),
    Entry("prose-edited", "has every text replaced by notes", changed(_prose_edited)),
    Entry("run-before", "carries outputs and numbers of an earlier run", changed(_run_before)),
    Entry(
        "no-outputs-field",
        "has cells without outputs, ids and counts, as some editors write them",
        changed(
            lambda d: [cell.pop(key, None) for cell in d["cells"]
                       for key in ("outputs", "id", "execution_count")]
        ),
    ),
    Entry(
        "source-as-lines",
        "has its sources as lists of lines",
        changed(
            lambda d: [cell.update(source="".join(cell["source"]).splitlines(True))
                       for cell in d["cells"]]
        ),
    ),
    Entry(
        "one-cell-at-the-end",
        "has all answers in one cell at the end, the answer cells as they were",
        lambda: _all_in_one(),
    ),
    Entry(
        "displays",
        "shows HTML, Markdown, LaTeX, JSON, an image and an object with a broken repr",
        solved(
            "from IPython.display import *\ndisplay(HTML('<script>1</script>'), Markdown('# x'), "
            "Latex('$x$'), JSON({'a': 1}))\nclear_output()\ndisplay({'text/html': 'x'}, raw=True)",
            "class Odd:\n    def __repr__(self): return 1 / 0\nOdd()",
            "class Html:\n    def _repr_html_(self): return '<img src=x onerror=alert(1)>'\nHtml()",
        ),
    ),
    Entry(
        "progress-bars",
        "shows progress with tqdm where it is installed",
        solved("try:\n    from tqdm import tqdm\nexcept ImportError:\n    tqdm = list\n"
               "for _ in tqdm(range(1000)): pass"),
    ),
    Entry("asks", "asks for input", solved("name = input('Who are you? ')", "import getpass\n"
                                           "getpass.getpass()"), plain=True),
    Entry(
        "star-imports",
        "imports everything from modules that shadow no builtin it needs",
        solved("from math import *\nfrom numpy.random import *\nfrom numpy.linalg import *"),
        plain=True,
    ),
    Entry(
        "global-settings",
        "changes the settings of the libraries",
        solved(
            "np.random.seed(0)\nnp.set_printoptions(precision=1)\nnp.seterr(all='raise')\n"
            "import random; random.seed(1)",
            "import torch\ntorch.manual_seed(0)\ntorch.set_default_dtype(torch.float64)\n"
            "torch.set_grad_enabled(False)\ntorch.set_num_threads(1)",
            "import warnings; warnings.simplefilter('error')",
            "import locale, decimal; locale.setlocale(locale.LC_ALL, 'C'); "
            "decimal.getcontext().prec = 2",
        ),
    ),
    Entry(
        "more-settings",
        "changes settings of the interpreter",
        solved("import sys, gc\nsys.setrecursionlimit(10**5)\ngc.disable()\n"
               "sys.set_int_max_str_digits(0)\nsys.setswitchinterval(1)\n"
               "import threading; threading.stack_size(2**20)"),
    ),
    Entry(
        "multiprocessing",
        "imports multiprocessing and asks how many cores there are",
        solved("import multiprocessing, concurrent.futures, os\nos.cpu_count()\n"
               "with concurrent.futures.ThreadPoolExecutor(2) as pool: "
               "list(pool.map(abs, [-1, 2]))"),
        plain=True,
    ),
    Entry(
        "files-of-its-own",
        "writes files, folders and pictures beside itself and reads them again",
        solved(
            "from pathlib import Path\nPath('out').mkdir(exist_ok=True)\n"
            "Path('out/x.txt').write_text('x')\nassert Path('out/x.txt').read_text() == 'x'\n"
            "np.save('a.npy', np.ones(3)); np.load('a.npy')\n"
            "import tempfile; tempfile.TemporaryFile().write(b'x')\n"
            "import pickle, sqlite3; sqlite3.connect('my.db').execute('create table t (x)')"
        ),
        plain=True,
    ),
    Entry(
        "packages",
        "imports what is not installed, and the course's data and figures",
        solved("import no_such_package", "import gatedrnn.data, gatedrnn.figures", "import pandas"),
    ),
    Entry(
        "checks-while-working",
        "calls check and hint in its own cells, before and after",
        solved("from grader import check, hint\ncheck('rnn_step', seed=3)\nhint('rnn_step')",
               "report = check('rnn_forward')\nprint(report)"),
        plain=True,
    ),
    Entry(
        "unicode",
        "uses letters of other alphabets as names, and emoji in strings",
        answering(
            "rnn_step",
            "σ = np.tanh\ndef rnn_step(x, h, params):\n    '''الشبكة العصبية 🧠 \\u202e'''\n"
            "    Wₓ = params['W_ih']\n    return σ(x @ Wₓ.T + params['b_ih'] + "
            "h @ params['W_hh'].T + params['b_hh'])",
        ),
        only("rnn_step"),
    ),
    Entry(
        "loops",
        "is right and slow: loops over single numbers",
        answering(
            "rnn_step",
            "import math\ndef rnn_step(x, h, params):\n    out = np.zeros_like(h)\n"
            "    for b in range(x.shape[0]):\n        for i in range(h.shape[1]):\n"
            "            u = params['b_ih'][i] + params['b_hh'][i]\n"
            "            for j in range(x.shape[1]): u += params['W_ih'][i, j] * x[b, j]\n"
            "            for j in range(h.shape[1]): u += params['W_hh'][i, j] * h[b, j]\n"
            "            out[b, i] = math.tanh(u)\n    return out",
        ),
        only("rnn_step"),
    ),
    Entry(
        "float32-inside",
        "works in float32, which costs the values and not what they hold of shape and range",
        answering(
            "rnn_step",
            "right_step = rnn_step\ndef rnn_step(x, h, params):\n"
            "    return right_step(x, h, params).astype(np.float32)",
        ),
        c.nothing,
    ),
    Entry(
        "own-error",
        "raises an error of its own that is made from the one that is asked for",
        solved_but(
            "clip_by_global_norm",
            "class NotFinite(ValueError): pass\n"
            "right_clip = clip_by_global_norm\ndef clip_by_global_norm(grads, max_norm):\n"
            "    try: return right_clip(grads, max_norm)\n"
            "    except ValueError as error: raise NotFinite('the norm') from error",
        ),
        plain=True,
    ),
    Entry(
        "keys-from-numpy",
        "makes the keys of its gradients from an array of texts",
        solved_but(
            "rnn_backward",
            "right_backward = rnn_backward\ndef rnn_backward(*a, **k):\n"
            "    grads = right_backward(*a, **k)\n"
            "    return {name: grads[name] for name in np.array(sorted(grads))}",
        ),
    ),
    Entry(
        "starts-anew",
        "resets its namespace, deletes check and hint, and goes to another folder",
        solved("%reset -f\nimport numpy as np", "del check, hint",
               "import os\nos.chdir('/')\n%cd /tmp",
               "%%html\n<b>x</b>", "%%javascript\nalert(1)", "%%latex\n$x$", "%%script cat\nx"),
    ),
    Entry(
        "looks-at-streams",
        "uses the streams as a terminal's: buffers, encodings, numbers",
        solved("import sys\nsys.stdout.flush(); sys.stdout.isatty(); sys.stdout.encoding",
               "import sys; sys.stdout.buffer.write(b'x')", "import os; os.write(1, b'x')",
               "import sys; print('x', file=sys.__stdout__)",
               "import sys; sys.stdout.reconfigure(line_buffering=True)",
               "import faulthandler; faulthandler.enable()"),
        plain=True,
    ),
    Entry(
        "magics-not-here",
        "has magics of packages that are not installed here at the top of its answers",
        lambda: _under_magics(
            "%load_ext nb_black", "%matplotlib widget", "%watermark -v", "%%memray_flamegraph",
            "%config InlineBackend.figure_format = 'retina'\n%run helpers.py\nlogged = %store -r x",
        ),
    ),
    Entry("answers-above", "has its answers in cells of its own, above the ones left blank",
          lambda: _above_blanks(copied=False)),
    Entry("answers-copied", "has copied each answer cell and left the lower copy blank",
          lambda: _above_blanks(copied=True), flags=("more than once",)),
    Entry(
        "main-guard",
        "is written as a script, behind `if __name__ == '__main__'`",
        answering("rnn_step", "written = rnn_step\nrnn_step = None\n"
                  "if __name__ == '__main__':\n    rnn_step = written"),
        only("rnn_step"),
    ),
    Entry("notebook-names", "uses the names of the notebook itself for its own values",
          solved("_ = __ = _i = _ih = _oh = _dh = In = Out = get_ipython = display = exit = 0",
                 "1 + 1", "3"), plain=True),
    Entry("prints-at-the-end", "prints after its answers", solved_then("print('done')")),
]  # fmt: skip


def _all_in_one() -> bytes:
    blank = c.Blank(c.SLUG)
    answers = [x.source for x in c.cells(c.full()) if x.id.endswith("-answer")]
    return blank.add("\n\n".join(answers), len(c.cells(blank))).bytes()


def _above_blanks(copied: bool) -> bytes:
    """The blank notebook with each answer in a cell above its own, with its metadata or without."""
    document = json.loads(c.Blank(c.SLUG).bytes())
    answers = {x.id: x.source for x in c.cells(c.full()) if x.id.endswith("-answer")}
    cells = []
    for cell in document["cells"]:
        if cell["id"] in answers:
            marks = cell["metadata"] if copied else {}
            above = {"id": f"own-{len(cells)}", "source": answers[cell["id"]], "metadata": marks}
            cells.append(cell | above)
        cells.append(cell)
    return json.dumps(document | {"cells": cells}).encode()


def _under_magics(*magics: str) -> bytes:
    blank = c.full()
    answers = [x for x in c.cells(blank) if x.id.endswith("-answer")]
    for cell, magic in zip(answers, magics, strict=False):
        cell.source = f"{magic}\n{cell.source}"
    return blank.bytes()
