"""Whether this machine can mark sealed, what it has for it, and how to get the rest."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from grader.worker import seal
from grader.worker.seccomp import ARCHITECTURES

_HOW = """\
How to get it
  Debian, Ubuntu   sudo apt-get install bubblewrap
  Fedora, RHEL     sudo dnf install bubblewrap
  Arch             sudo pacman -S bubblewrap
  Ubuntu 24.04     AppArmor restricts namespaces of users: mark as root, or allow them with
                   sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  in a container   Docker and Podman refuse new namespaces unless started with --privileged
  macOS            in a Linux virtual machine (Lima, OrbStack, UTM)
  Windows          in WSL2 (wsl --install), then as on Ubuntu
Without it, `grader mark --unsealed` marks in plain processes with limits of time and memory."""


def report() -> str:
    """What `grader doctor` prints."""
    why = seal.trial()
    lines = [f"{name:<18} {value}" for name, value in _facts()]
    if why:
        lines += ["", f"Sealed marking does not work here: {why}.", "", _HOW]
    else:
        lines += ["", "Sealed marking works here: tried out just now."]
    return "\n".join(lines)


def _facts() -> list[tuple[str, str]]:
    return [
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("bubblewrap", _bubblewrap()),
        ("user namespaces", _user_namespaces()),
        ("seccomp", _seccomp()),
        ("Landlock", _landlock()),
        ("memory", _memory()),
        ("control groups", _control_groups()),
    ]


def _bubblewrap() -> str:
    if shutil.which("bwrap") is None:
        return "not installed"
    done = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "installed"


def _user_namespaces() -> str:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "not needed as root"
    if shutil.which("bwrap") is None:
        return "not tried without bubblewrap"
    command = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "/bin/true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "allowed" if done.returncode == 0 else f"refused ({done.stderr.strip()[:100]})"


def _seccomp() -> str:
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not actions.exists():
        return "not there"
    known = platform.machine() in ARCHITECTURES
    return "there" if known else f"there, but no filter is written for {platform.machine()}"


def _landlock() -> str:
    if not sys.platform.startswith("linux"):
        return "not there (not needed)"
    create_ruleset, version_only = 444, 1
    version = ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_size_t(0), version_only)
    return f"version {version} (not needed)" if version > 0 else "not there (not needed)"


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{size / 2**30:.1f} GiB, {os.cpu_count()} cores; each core may need 3 GiB at worst"


def _control_groups() -> str:
    root = Path("/sys/fs/cgroup")
    if not root.is_dir():
        return "not there (not needed)"
    unified = (root / "cgroup.controllers").exists()
    return f"version {2 if unified else 1} (not needed)"
