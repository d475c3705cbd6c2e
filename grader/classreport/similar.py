"""Hand-ins whose own code is alike, by copydetect's fingerprints of the code's tokens.

A fingerprint is a run of `GRAM` characters of the code with its names, strings, comments and spaces
taken out, so that a copy with other names has the same ones. What everybody was given or could
read, and what many in the class have, says nothing about two of them and is left out, as in MOSS.
Source: S. Schleimer, D. S. Wilkerson and A. Aiken, Winnowing: local algorithms for document
fingerprinting, SIGMOD 2003, section 5.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grader import notebooks, submission
from grader.classroom import Classroom, HandIn
from grader.notebooks import SourceError
from grader.plan import Plan, lay_out

#: Characters in a fingerprint; copydetect's own choice for its smallest match.
GRAM = 25
#: Fingerprints of one's own from which on a hand-in is compared at all.
FEWEST = 60
#: Share of the smaller hand-in's own fingerprints from which on a pair is shown.
ALIKE = 0.5
#: Letters from which on the same text in two hand-ins is no accident.
SAME_TEXT = 300
#: Code beyond this is not compared: nobody writes as much by hand.
_LONGEST = 200_000


@dataclass(frozen=True)
class Pair:
    """Two students, and the share of the smaller hand-in's own fingerprints that both have."""

    left: str
    right: str
    share: float
    fingerprints: int


@dataclass(frozen=True)
class Similar:
    """What the comparison of one unit's hand-ins came to."""

    compared: int = 0
    common_from: int = 0
    closest: dict[str, float] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    same_text: list[list[str]] = field(default_factory=list)
    texts: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()

    def side_by_side(self, pair: Pair) -> tuple[str, str]:
        """The own code of both as HTML, with what they share set between marks."""
        from copydetect import compare_files
        from copydetect.utils import highlight_overlap

        left, right = (_prints(self.texts[name]) for name in (pair.left, pair.right))
        for one in (left, right):
            for value in one.hashes & self.left_out:
                del one.hash_idx[value]
            one.hashes -= self.left_out
        _, _, slices = compare_files(left, right)
        shown = []
        for code, places in ((left.raw_code, slices[0]), (right.raw_code, slices[1])):
            html, _ = highlight_overlap(code, places, "<mark>", "</mark>", 2, escape_html=True)
            shown.append(html.strip("\n"))
        return shown[0], shown[1]


def _prints(text: str) -> Any:
    """All fingerprints of a text: what is compared is short, and a window of one keeps each."""
    from copydetect import CodeFingerprint

    # Lines of nothing but spaces say nothing, and the lexer takes the square of their number.
    lines = [line for line in text[:_LONGEST].split("\n") if line.strip()]
    code = io.StringIO("\n".join(lines) + "\n")
    return CodeFingerprint("code", GRAM, 1, language="python", fp=code)


def find(room: Classroom, hand_ins: list[HandIn]) -> Similar:
    """Compare the hand-ins to one unit with each other."""
    if not hand_ins:
        return Similar()
    slug = hand_ins[0].slug
    unit = room.unit(slug)
    released = {cell.source.strip() for cell in unit.cells}
    texts = {h.student: own_code(lay_out(unit, _read(h)), released) for h in hand_ins}
    return compare(texts, given(room.root / "source", slug))


def _read(hand_in: HandIn) -> submission.Submission | None:
    found = submission.place(hand_in.path)
    if found.fault:
        return None
    try:
        return submission.read(found.path)
    except submission.Unreadable:
        return None


def own_code(plan: Plan, released: Collection[str]) -> str:
    """What a student wrote: answers and added cells, without cells that are as released."""
    cells = [
        cell.source.strip("\n")
        for cell in plan.cells
        if cell.kind == "code"
        and cell.role in ("answer", "")
        and cell.source.strip() not in released
    ]
    return "\n\n\n".join(cells)


def given(source: Path, slug: str) -> list[str]:
    """What everybody had: the notebook, and the code that the course itself shows for it."""
    import gatedrnn.equations

    shown = Path(gatedrnn.equations.__file__).parent
    texts = [path.read_text("utf-8") for path in sorted(shown.glob("*.py"))]
    try:
        books = [notebooks.student_notebook(slug), notebooks.source_notebook(slug)]
    except SourceError:  # installed without the worked solutions
        import nbformat

        books = [nbformat.read(p, as_version=4) for p in (source / slug).glob("*.ipynb")]
    texts += ["\n\n\n".join(c.source for c in b.cells if c.cell_type == "code") for b in books]
    return texts


def compare(texts: Mapping[str, str], given: list[str]) -> Similar:
    """Compare each student's own code with each other's; `given` is what everybody had."""
    own = {name: frozenset(_prints(text).hashes) for name, text in texts.items()}
    counts = Counter(value for values in own.values() for value in values)
    most = max(3, math.ceil(len(own) / 10))
    common = {value for value, count in counts.items() if count > most}
    common.update(*(_prints(text).hashes for text in given))
    own = {name: values - common for name, values in own.items()}
    names = [name for name, item in own.items() if len(item) >= FEWEST]
    shares, both = _shares([own[name] for name in names])
    pairs = [
        Pair(names[i], names[j], float(shares[i, j]), int(both[i, j]))
        for i, j in zip(*np.nonzero(np.triu(shares >= ALIKE, 1)), strict=True)
    ]
    pairs.sort(key=lambda p: (-p.share, -p.fingerprints, p.left, p.right))
    closest = shares.max(axis=1, initial=0.0) if names else np.zeros(0)
    return Similar(
        compared=len(names),
        common_from=most + 1,
        closest={name: float(value) for name, value in zip(names, closest, strict=True)},
        pairs=pairs,
        same_text=list(_same_text(texts)),
        texts=texts,
        left_out=frozenset(common),
    )


def _shares(prints: list[frozenset[int]]) -> tuple[np.ndarray, np.ndarray]:
    """For each two: the share of the smaller set that both have, and how many; zero with itself.

    Only fingerprints that several have are walked through, so a class is not compared pair by pair.
    """
    holders: dict[int, list[int]] = {}
    for index, values in enumerate(prints):
        for value in values:
            holders.setdefault(value, []).append(index)
    both = np.zeros((len(prints), len(prints)), dtype=np.int32)
    for who in holders.values():
        if len(who) > 1:
            both[np.ix_(who, who)] += 1
    np.fill_diagonal(both, 0)
    sizes = np.array([len(values) for values in prints], dtype=float)
    return both / np.maximum(np.minimum.outer(sizes, sizes), 1), both


def _same_text(texts: Mapping[str, str]) -> Iterator[list[str]]:
    """Groups with the same text but for spaces, comments and the names of things included."""
    groups: dict[str, list[str]] = {}
    for name, text in texts.items():
        letters = "".join(text.split())
        if len(letters) >= SAME_TEXT:
            groups.setdefault(hashlib.sha256(letters.encode()).hexdigest(), []).append(name)
    yield from sorted((sorted(who) for who in groups.values() if len(who) > 1), key=lambda w: w[0])
