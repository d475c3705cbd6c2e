"""Objects that lie about themselves: what an answer holds counts, not what it says of itself."""

from __future__ import annotations

from tests.grader import classes as c
from tests.grader.gallery import Entry, only, solved_but, unanswered
from tests.grader.gallery.tampering import for_all

#: Name -> what it does, the class or function in the cell, and what each function gives.
_LIARS = {
    "equal-to-all": (
        "gives arrays of a class in which all are equal",
        "class Liar(np.ndarray):\n    def __eq__(self, other): return True\n"
        "    def __ne__(self, other): return False\n"
        "    def __array__(self, *a, **k): return np.zeros(3)\n"
        "    __array_ufunc__ = __array_function__ = lambda self, *a, **k: True\n"
        "    shape = property(lambda self: Liar.want)\n",
        "np.zeros((4, 5)).view(Liar)",
    ),
    "of-another-class": (
        "gives objects that say that they are arrays",
        "class Liar:\n    __class__ = property(lambda self: np.ndarray)\n    shape = (4, 5)\n"
        "    ndim = 2; dtype = np.dtype('float64'); nbytes = 0\n"
        "    def __eq__(self, other): return True\n"
        "    def __array__(self, *a, **k): return np.zeros((4, 5))\n"
        "    def __getattr__(self, name): return lambda *a, **k: self\n",
        "Liar()",
    ),
    "array-interface": (
        "gives objects with an address of memory that is not theirs",
        "class Liar:\n    __array_interface__ = {'shape': (4, 5), 'typestr': '<f8', "
        "'data': (8, False), 'version': 3}\n",
        "Liar()",
    ),
    "metaclass": (
        "gives objects of a class that everything is an instance of",
        "class Meta(type):\n    __instancecheck__ = __subclasscheck__ = lambda *a: True\n"
        "    def __eq__(cls, other): return True\n    def __hash__(cls): return hash(np.ndarray)\n"
        "class Liar(metaclass=Meta):\n    pass\nLiar.__module__ = 'numpy'\n"
        "Liar.__name__ = Liar.__qualname__ = 'ndarray'\n",
        "Liar()",
    ),
    "tensor": (
        "gives tensors of a class that answers every function itself",
        "import torch\nclass Liar(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None): return True\n",
        "torch.zeros(4, 5).as_subclass(Liar)",
    ),
    "dictionary": (
        "gives dictionaries that hold every key",
        "class Liar(dict):\n    def __missing__(self, key): return np.zeros((4, 5))\n"
        "    def __contains__(self, key): return True\n    def __len__(self): return 6\n"
        "    def __iter__(self): return iter(['x', 'h0', 'W_ih', 'W_hh', 'b_ih', 'b_hh'])\n"
        "    items = keys = lambda self: 10**9\nLiar.__module__ = 'collections'\n",
        "Liar()",
    ),
    "numbers": (
        "gives numbers that are equal to all others",
        "class Liar(float):\n    def __eq__(self, other): return True\n"
        "    def hex(self): return '0x1p+0'\n"
        "    __sub__ = __rsub__ = __abs__ = lambda self, *a: 0.0\n    __hash__ = None\n",
        "(Liar(3), Liar(4))",
    ),
    "scalars": (
        "gives a NumPy number of a class of its own that names NumPy as its home",
        "class Liar(np.float64):\n    def __array__(self, *a, **k): return np.zeros((4, 5))\n"
        "    def item(self): return 10**9\nLiar.__module__ = 'numpy'\n",
        "(Liar(3), Liar(4))",
    ),
    "texts": (
        "gives texts and keys whose methods lie",
        "class Liar(str):\n    def __eq__(self, other): return True\n"
        "    def __hash__(self): return hash('x')\n    def __len__(self): return 1\n"
        '    def encode(self, *a): return b\'"}, {"i": "0x7"}\'\n',
        "{Liar('k' * 9): Liar('v')}",
    ),
    "tuples": (
        "gives tuples that are iterated differently each time",
        "import itertools\nclass Liar(tuple):\n    _fields = ('outputs', 'h')\n"
        "    def __iter__(self): return itertools.repeat(np.zeros((4, 5)))\n"
        "    def __len__(self): return 2\n    def __getitem__(self, i): return np.zeros((4, 5))\n",
        "Liar((1, 2, 3))",
    ),
    "reduce": (
        "gives objects that run code when they are unpickled",
        "import os\nclass Liar:\n    def __reduce__(self): "
        "return os.system, ('touch /tmp/gallery_was_here',)\n"
        "    __reduce_ex__ = __getstate__ = lambda self, *a: self.__reduce__()\n",
        "Liar()",
    ),
    "repr": (
        "gives objects whose names and texts are megabytes, or cannot be had",
        "class Liar:\n    def __repr__(self): raise SystemExit\n    __str__ = __repr__\n"
        "    def __hash__(self): raise KeyboardInterrupt\nLiar.__name__ = 'x' * 10**7\n",
        "{'a': Liar(), 'b': [Liar()]}",
    ),
    "mock": (
        "gives mocks, which have every attribute",
        "import unittest.mock\n",
        "unittest.mock.MagicMock()",
    ),
    "proxies": (
        "gives proxies, generators, awaitables and modules",
        "import weakref, types\nkept = np.zeros(3)\nasync def later(): return kept\n",
        "[weakref.proxy(Odd()) if 0 else (i for i in range(9)), later(), types, np.nditer(kept)]",
    ),
    "claims-in-words": (
        "gives the words of a passed check",
        "",
        "{'kind': 'value', 'good': True, 'status': 'passed', 'earned': 9, 'id': 1}",
    ),
}


def _given(name: str) -> Entry:
    does, setup, value = _LIARS[name]
    return Entry(
        f"lie-{name}",
        does,
        unanswered(setup + for_all(f"def NAME(*a, **k): return {value}")),
        # What they hold is zeros of the new state's shape, and nothing that was given was changed.
        only("rnn_step", 1.0) if name == "equal-to-all" else c.nothing,
        plain=name in ("equal-to-all", "of-another-class", "metaclass", "dictionary", "reduce"),
    )


ENTRIES = [
    *[_given(name) for name in _LIARS],
    Entry(
        "lie-not-a-number",
        "gives NaN everywhere, which is not unequal to anything by some tests",
        unanswered(
            "def rnn_step(x, h, params): return h * np.nan\n"
            "def rnn_forward(x, h0, params):\n"
            "    return np.full((*x.shape[:2], h0.shape[1]), np.nan), h0 * np.nan\n"
            "def rnn_backward(d, x, h0, params):\n"
            "    return {'x': x * np.nan, 'h0': h0 * np.nan, "
            "**{k: v * np.nan for k, v in params.items()}}\n"
            "def truncated_bptt_grads(d, x, h0, params, k): return rnn_backward(d, x, h0, params)\n"
            "def clip_by_global_norm(grads, n): return grads, np.nan"
        ),
        # Small gradients come back as they were, and so do zeros, and the arguments stay alone.
        only("clip_by_global_norm", 2.0),
    ),
    Entry(
        "lie-empty",
        "gives arrays of no entries, which are all equal",
        unanswered(for_all("def NAME(*a, **k): return np.zeros((0, 5))")),
        c.nothing,
    ),
    Entry(
        "lie-right-shape",
        "gives zeros of the right shapes: the checks of side properties alone are earned",
        unanswered("def rnn_step(x, h, params): return np.zeros_like(h)"),
        only("rnn_step", 1.0),
        plain=True,
    ),
    Entry(
        "lie-broadcast",
        "gives shapes that would be equal after broadcasting",
        unanswered(
            "def rnn_step(x, h, params):\n    return np.tanh(x @ params['W_ih'].T + params['b_ih'] "
            "+ h @ params['W_hh'].T + params['b_hh'])[None]"
        ),
        c.nothing,
    ),
    Entry(
        "lie-first-call-only",
        "is right at its first call and gives zeros at all others",
        solved_but(
            "rnn_step",
            "right_step, called = rnn_step, []\ndef rnn_step(x, h, params):\n"
            "    called.append(1)\n    return right_step(x, h, params) * (len(called) == 1)",
        ),
        # The other functions of the solution call it too.
        lambda: (
            only("rnn_step", 3.0)()
            | {"rnn_backward": 1.0, "clip_by_global_norm": c.worth()["clip_by_global_norm"]}
        ),
    ),
    Entry(
        "lie-changes-arguments-later",
        "writes into its arguments after it has returned, from a thread",
        solved_but(
            "clip_by_global_norm",
            "import threading, time\nright_clip = clip_by_global_norm\n"
            "def clip_by_global_norm(grads, max_norm):\n    out = right_clip(grads, max_norm)\n"
            "    def later():\n        time.sleep(0.01)\n        for g in out[0].values():\n"
            "            if g is not None: g[...] = 0\n"
            "    threading.Thread(target=later).start()\n    return out",
        ),
    ),
    Entry(
        "lie-named-error",
        "raises an error of its own class that has the name of the one that is asked for",
        solved_but(
            "clip_by_global_norm",
            "class Other(BaseException): pass\nOther.__name__ = Other.__qualname__ = 'ValueError'\n"
            "right_clip = clip_by_global_norm\ndef clip_by_global_norm(grads, max_norm):\n"
            "    try: return right_clip(grads, max_norm)\n    except ValueError: raise Other()",
        ),
        lambda: c.worth() | {"clip_by_global_norm": c.worth()["clip_by_global_norm"] - 1},
    ),
    Entry(
        "lie-error-text",
        "raises an error whose text never ends",
        solved_but(
            "clip_by_global_norm",
            "class Endless(ValueError):\n    def __str__(self):\n        while True: pass\n"
            "def clip_by_global_norm(*a): raise Endless",
        ),
        lambda: c.all_but("clip_by_global_norm"),
        flags=("ran longer than 2 s",),
    ),
    Entry(
        "lie-signature",
        "has a signature, a name and a source that are not its own",
        unanswered(
            "import inspect\ndef rnn_step(*a): return a[1]\n"
            "rnn_step.__signature__ = inspect.signature(np.tanh)\nrnn_step.__name__ = 'x' * 10**6\n"
            "rnn_step.__code__ = rnn_step.__code__.replace(co_name='passed', co_filename='/seal')\n"
            "rnn_step.__wrapped__ = rnn_step"
        ),
        # The state comes back as it was: right in type and shape, and nothing was changed.
        only("rnn_step", 1.0),
    ),
]
