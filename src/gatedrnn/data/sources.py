"""Find a file of a named data set: a local mirror first, then a cache filled by one download."""

import hashlib
import json
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

MIRROR_VARIABLE = "GATEDRNN_DATA"


class DataError(RuntimeError):
    """A data set cannot be had, or a file is not the one that the registry names."""


@cache
def _registry() -> dict[str, Any]:
    text = files("gatedrnn.data").joinpath("registry.json").read_text(encoding="utf-8")
    return json.loads(text)


def dataset_names() -> list[str]:
    """Return the names of all data sets in the registry, sorted."""
    return sorted(_registry())


def describe(name: str) -> dict[str, Any]:
    """Return a data set's citation and, for each file, its address, checksum, bytes and licence.

    Raises DataError when the registry has no such name.
    """
    if name not in _registry():
        known = ", ".join(dataset_names())
        raise DataError(f"There is no data set called {name!r}; choose one of: {known}.")
    return _registry()[name]


def fetch(name: str, file: str) -> Path:
    """Return the path of one file of a data set, with its SHA-256 verified.

    The folder that the environment variable GATEDRNN_DATA names (laid out as <name>/<file>) is read
    first; a file that is not there is downloaded once into the user's cache.
    A download is written under a temporary name and takes its own name only once its checksum
    is right, so an interrupted one is never read.

    Raises DataError for an unknown name or file, a wrong checksum, or when there is neither a
    mirror nor a network.
    """
    entry = describe(name)["files"].get(file)
    if entry is None:
        known = ", ".join(sorted(describe(name)["files"]))
        raise DataError(f"Data set {name!r} has no file {file!r}; its files are: {known}.")
    mirrored = _in_mirror(name, file)
    if mirrored is not None:
        _verify(mirrored, entry["sha256"])
        return mirrored
    return _download(name, file, entry)


def _in_mirror(name: str, file: str) -> Path | None:
    folder = os.environ.get(MIRROR_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise DataError(
            f"{MIRROR_VARIABLE} is set to {folder!r}, which is not a folder; "
            f"set it to a folder that holds {name}/{file}, or unset it to download the file."
        )
    path = Path(folder, name, file)
    return path if path.is_file() else None


def _verify(path: Path, sha256: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    if found != sha256:
        raise DataError(
            f"{path} is not the expected file: its SHA-256 should be {sha256} and is {found}; "
            f"replace the file, or unset {MIRROR_VARIABLE} to download it."
        )


def _download(name: str, file: str, entry: dict[str, Any]) -> Path:
    # Imported here because pooch takes longer to import than a mirror takes to read.
    import pooch

    reasons = []
    for url in [entry["url"], *entry.get("mirrors", [])]:
        try:
            path = pooch.retrieve(
                url,
                known_hash=f"sha256:{entry['sha256']}",
                fname=file,
                path=pooch.os_cache("gatedrnn") / name,
            )
            return Path(path)
        except (OSError, ValueError) as error:
            # OSError: no network or no space; ValueError: pooch's word for a wrong checksum.
            reasons.append(f"{url}: {_first_line(error)}")
    raise DataError(
        f"{name}/{file} is neither in a local mirror nor could it be downloaded "
        f"({'; '.join(reasons)}); connect to the network, or set {MIRROR_VARIABLE} to a folder "
        f"that holds {name}/{file} with SHA-256 {entry['sha256']}."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:160] if lines else 'no further word'}"
