"""A formula in TeX becomes a drawing and MathML when the book is built.

MathJax does the work, in V8 (package ``mini-racer``), from the files of the package
``sphinx-mathjax-offline``. It writes a group for each part of a formula and a path for each glyph;
`flatten` joins them into one path for each size of type, with relative coordinates, so that a
page has few elements and equal glyphs compress well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

VERSION = "1"  # of the drawing; another one makes every formula anew
FILES = (
    "startup.js",
    "core.js",
    "adaptors/liteDOM.js",
    "input/tex-full.js",
    "output/svg.js",
    "output/svg/fonts/tex.js",
)
# Loaded into an engine without a document: MathJax's own parts, put together by hand.
PRELUDE = """
globalThis.window = globalThis;
globalThis.console = { log() {}, warn() {}, error() {} };
globalThis.MathJax = { loader: { load: [] }, startup: { typeset: false, ready() {} } };
"""
CONVERTER = """
const parts = MathJax._;
const adaptor = parts.adaptors.liteAdaptor.liteAdaptor();
parts.handlers.html_ts.RegisterHTMLHandler(adaptor);
const page = parts.mathjax.mathjax.document("", {
  InputJax: new parts.input.tex_ts.TeX({
    packages: ["base", "ams", "newcommand", "boldsymbol"],
    formatError(jax, error) { throw new Error(error.message); },
  }),
  OutputJax: new parts.output.svg_ts.SVG({
    fontCache: "none", font: new parts.output.svg.fonts.tex_ts.TeXFont(),
  }),
});
const mathml = new parts.core.MmlTree.SerializedMmlVisitor.SerializedMmlVisitor();
const typeset = (tex, display) => {
  const item = new page.options.MathItem(tex, page.inputJax[0], display);
  item.start.node = item.end.node = adaptor.node("div");
  item.setMetrics(16, 8, 80 * 16, 80 * 16, 1);
  item.compile(page);
  const words = mathml.visitTree(item.root);
  item.typeset(page);
  const svg = adaptor.outerHTML(adaptor.firstChild(item.typesetRoot));
  return JSON.stringify({ mathml: words, svg });
};
"""
SVG = "{http://www.w3.org/2000/svg}"


class FormulaError(ValueError):
    """A formula that MathJax refuses, with its reason."""


@dataclass(frozen=True)
class Symbol:
    """A letter with its subscript, and the box that it fills in the drawing (y down)."""

    name: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Formula:
    """A drawn formula: sizes in ex, the drawing's inside, the symbols in it, and its MathML."""

    width: str
    height: str
    drop: str
    view_box: str
    inside: str
    symbols: tuple[Symbol, ...]
    mathml: str


def mathjax_folder() -> Path:
    """Return the folder of MathJax's parts, or raise with the sentence that says how to get it."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "MathJax is missing: run `pip install -c constraints.txt sphinx-mathjax-offline`."
        )
    return Path(spec.origin).parent / "static" / "mathjax"


class Typesetter:
    """Sets formulas, and remembers in a file those that it has set before."""

    def __init__(self, memory: Path | None = None) -> None:
        self.memory = memory
        self.known: dict[str, dict[str, Any]] = {}
        self._engine: Any = None
        if memory is not None and memory.is_file():
            self.known = json.loads(memory.read_text("utf-8"))

    def formula(self, tex: str, display: bool) -> Formula:
        """Return a formula drawn; raise FormulaError with MathJax's reason when it is none."""
        key = hashlib.sha256(f"{VERSION}\n{display}\n{tex}".encode()).hexdigest()[:24]
        if key not in self.known:
            made = self._typeset(tex, display)
            self.known[key] = asdict(flatten(made["svg"], made["mathml"]))
        found = dict(self.known[key])
        found["symbols"] = tuple(Symbol(**symbol) for symbol in found["symbols"])
        return Formula(**found)

    def close(self) -> None:
        """Stop the engine, and write the memory whole."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self.memory is not None:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            partial = self.memory.with_name(self.memory.name + ".partial")
            partial.write_text(json.dumps(self.known), encoding="utf-8")
            os.replace(partial, self.memory)

    def _typeset(self, tex: str, display: bool) -> dict[str, str]:
        from py_mini_racer import JSEvalException, MiniRacer

        if self._engine is None:
            self._engine = MiniRacer()
            self._engine.eval(PRELUDE)
            for name in FILES:
                self._engine.eval((mathjax_folder() / name).read_text("utf-8"))
            self._engine.eval(CONVERTER)
        try:
            made: dict[str, str] = json.loads(self._engine.call("typeset", tex, display))
        except JSEvalException as error:
            reason = str(error).strip().splitlines()[0].rpartition("Error: ")[2]
            raise FormulaError(f"{reason}: {tex}") from None
        return made


# ---------------------------------------------------------------- flattening


@dataclass(frozen=True)
class Place:
    """Where a part of the drawing stands: moved by (x, y) after scaling by (a, b), y up."""

    x: float = 0.0
    y: float = 0.0
    a: float = 1.0
    b: float = 1.0

    def within(self, transform: str) -> Place:
        place = self
        for kind, numbers in re.findall(r"(\w+)\(([^)]*)\)", transform):
            values = [float(n) for n in re.split(r"[ ,]+", numbers.strip())]
            if kind == "translate":
                x, y = values[0], values[1] if len(values) > 1 else 0.0
                place = Place(place.x + place.a * x, place.y + place.b * y, place.a, place.b)
            elif kind == "scale":
                a, b = values[0], values[-1]
                place = Place(place.x, place.y, place.a * a, place.b * b)
            else:
                raise FormulaError(f"a drawing of MathJax has the transform {transform!r}")
        return place

    def matrix(self) -> str:
        """This place in the drawing's own axes, where y points down."""
        numbers = (self.a, 0, 0, -self.b, self.x, -self.y)
        return f"matrix({' '.join(short(n) for n in numbers)})"


def short(number: float) -> str:
    """Write a number with at most three decimals and no needless sign, zero or point."""
    text = f"{number:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else re.sub(r"^(-?)0\.", r"\1.", text)


def flatten(svg: str, mathml: str) -> Formula:
    """Join the glyphs of a drawing by MathJax into one path for each size of type."""
    root = ElementTree.fromstring(svg)
    runs: dict[float, list[str]] = {}
    others: list[str] = []
    symbols: list[Symbol] = []
    for element, place in _leaves(root.find(f"{SVG}g"), Place(b=-1.0), symbols):
        # The outermost group of MathJax turns the axes; they are turned back at the end.
        outline = _outline(element)
        if outline is None or element.get("fill") or element.get("stroke"):
            element.attrib.pop("transform", None)  # it is in the place
            raw = ElementTree.tostring(element, "unicode").replace(' xmlns:ns0="', ' xmlns="')
            others.append(f'<g transform="{place.matrix()}">{raw.replace("ns0:", "")}</g>')
        elif abs(place.a - place.b) > 1e-9:
            others.append(f'<path transform="{place.matrix()}" d="{relative(outline)}"/>')
        else:
            scale = round(place.a, 4)
            moved = relative(outline, round(place.x / scale), round(place.y / scale))
            runs.setdefault(scale, []).append(moved)
    inside = "".join(
        f'<path transform="scale({short(s)} {short(-s)})" d="{"".join(d)}"/>'
        for s, d in runs.items()
    )
    style = dict(re.findall(r"([\w-]+):\s*([^;]+)", root.get("style", "")))
    return Formula(
        width=root.get("width", ""),
        height=root.get("height", ""),
        drop=style.get("vertical-align", "0"),
        view_box=" ".join(short(float(n)) for n in root.get("viewBox", "").split()),
        inside=inside + "".join(others),
        symbols=tuple(symbols),
        mathml=plain_mathml(mathml),
    )


def plain_mathml(text: str) -> str:
    """MathML as HTML holds it: on one line, without MathJax's own attributes and namespaces."""
    text = re.sub(r">\s+<", "><", text.strip())
    return re.sub(r' (?:data-mjx-[\w-]+|xmlns|display)="[^"]*"', "", text)


def _leaves(
    element: Any, place: Place, symbols: list[Symbol]
) -> Iterator[tuple[ElementTree.Element, Place]]:
    """Yield each drawn element with its place, and note the symbols on the way."""
    place = place.within(element.get("transform", ""))
    drawn = element.tag.removeprefix(SVG)
    if drawn != "g" or element.get("fill") not in (None, "currentColor"):
        yield element, place
        return
    first = len(symbols)
    below = [leaf for child in element for leaf in _leaves(child, place, symbols)]
    name = _symbol_name(element)
    if name and (box := _box(below)) is not None:
        symbols[first:] = [Symbol(name, *box)]  # the whole, and not its parts
    yield from below


def _letters(element: ElementTree.Element) -> str:
    codes = (leaf.get("data-c") for leaf in element.iter(f"{SVG}path"))
    return "".join(unicodedata.normalize("NFKC", chr(int(code, 16))) for code in codes if code)


def _symbol_name(element: ElementTree.Element) -> str:
    """A letter, or a letter with a subscript as in ``W_in``; nothing for other groups."""
    kind = element.get("data-mml-node")
    if kind == "mi":
        letters = _letters(element)
        return letters if len(letters) == 1 else ""
    if kind == "msub" and len(element) == 2 and element[0].get("data-mml-node") == "mi":
        return f"{_letters(element[0])}_{_letters(element[1])}"
    return ""


def _box(leaves: list[tuple[ElementTree.Element, Place]]) -> tuple[int, int, int, int] | None:
    xs, ys = [], []
    for element, place in leaves:
        for x, y in points(_outline(element) or ""):
            xs.append(place.x + place.a * x)
            ys.append(-(place.y + place.b * y))
    if not xs:
        return None
    left, top = round(min(xs)), round(min(ys))
    return left, top, round(max(xs)) - left, round(max(ys)) - top


def _outline(element: ElementTree.Element) -> str | None:
    """The element as the data of a path, or None for what is no path."""
    drawn = element.tag.removeprefix(SVG)
    if drawn == "path":
        return element.get("d", "")
    if drawn == "rect":
        x, y, w, h = (float(element.get(key, 0)) for key in ("x", "y", "width", "height"))
        return f"M{x:g} {y:g}H{x + w:g}V{y + h:g}H{x:g}Z"
    return None


def _steps(outline: str) -> Iterator[tuple[str, list[float]]]:
    """The commands of a path in absolute coordinates, each with its numbers."""
    for letter, rest in re.findall(r"([MLHVQTCZ])([^A-Za-z]*)", outline):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        size = {"M": 2, "L": 2, "T": 2, "H": 1, "V": 1, "Q": 4, "C": 6, "Z": 0}[letter]
        for start in range(0, len(numbers), size) if size else [0]:
            yield letter, numbers[start : start + size]


def points(outline: str) -> Iterator[tuple[float, float]]:
    """The corners and control points of a path in absolute coordinates."""
    x = y = 0.0
    for letter, numbers in _steps(outline):
        if letter == "H":
            x = numbers[0]
        elif letter == "V":
            y = numbers[0]
        for i in range(0, len(numbers) if letter in "MLTQC" else 0, 2):
            x, y = numbers[i], numbers[i + 1]
            yield x, y
        if letter in "HV":
            yield x, y


def relative(outline: str, dx: int = 0, dy: int = 0) -> str:
    """A path moved by (dx, dy) and written in steps, so that equal glyphs read the same."""
    out: list[str] = []
    x = y = start_x = start_y = 0.0
    first = True
    for letter, numbers in _steps(outline):
        if letter == "Z":
            out.append("z")
            x, y = start_x, start_y
            continue
        if letter == "M" and first:
            x, y = numbers
            out.append(_numbers("M", [x + dx, y + dy]))
            first = False
        elif letter == "H":
            out.append(_numbers("h", [numbers[0] - x]))
            x = numbers[0]
        elif letter == "V":
            out.append(_numbers("v", [numbers[0] - y]))
            y = numbers[0]
        else:
            steps = [n - (x, y)[i % 2] for i, n in enumerate(numbers)]
            out.append(_numbers(letter.lower(), steps))
            x, y = numbers[-2:]
        if letter == "M":
            start_x, start_y = x, y
    return "".join(out)


def _numbers(letter: str, numbers: list[float]) -> str:
    text = letter
    for i, number in enumerate(numbers):
        written = short(number)
        text += written if i == 0 or written.startswith("-") else f" {written}"
    return text
