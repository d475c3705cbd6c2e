"""Names of folders that people and programs give, and that no program expects."""

from __future__ import annotations

import os

#: A folder's name -> why it is here.
NAMES = {
    "ada": "an ordinary name",
    "n" * 128: "as long as nbgrader's column",
    "o" * 129: "one letter more",
    "é" * 127: "as long as a folder's name can be, and short enough for the column",
    "p" * 255: "as long as a folder's name can be",
    os.fsdecode(b"\xff" * 255): "the same, and no text: each byte is written with four letters",
    os.fsdecode(b"caf\xe9"): "no text in UTF-8",
    "new\nline\ttab": "with a line break",
    "-rf": "with a dash before it",
    "--help": "an option",
    "...": "dots",
    "..rnn": "two dots before it",
    "CON": "a device of Windows",
    "nul.txt": "another",
    "\u00e9": "composed",
    "e\u0301": "decomposed, which looks the same",
    "Bo": "capital",
    "bo": "small",
    "[a]": "a pattern of the shell",
    "a*": "another",
    "a?": "another",
    "a+b(c)|$^": "a pattern of Python",
    "{x}%s%(y)s": "a format",
    "a\\xe9": "with a backslash",
    "a'b\"; drop table student; --": "a command of SQL",
    "<b onclick=alert(1)>x<": "a piece of HTML",
    "=1+cmd|' C'!A0": "a formula",
    "\x1b[2J\x07\u202e": "commands to a terminal",
    "Ωμέγα 小明 🧠": "other alphabets",
    " ada ": "with spaces around it",
    "~": "a home",
    "$HOME": "a variable",
    "gradebook.db": "the name of something else",
}  # fmt: skip
#: Names that no gradebook can be given, by the folders that would hold their records.
UNKEPT = [os.fsdecode(b"\xff" * 255)]
#: What PostgreSQL cannot hold.
TOO_LONG = ["o" * 129, "p" * 255]
#: What nbgrader takes for another name when it makes a page.
MISTAKEN = ["new\nline\ttab", " ada "]


def as_text(name: str) -> str:
    """The name of a folder as the class writes it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
