"""A seccomp filter: which system calls a notebook's process may make, as a BPF program.

What is refused: other programs and processes (threads are allowed), sockets, anything that changes
namespaces or mounts, reading other processes, the kernel's own interfaces, and shared memory that
no limit counts. A refused call fails with an error that Python turns into an exception.

The layout of the program and of `seccomp_data` is from seccomp(2) and the kernel's
Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD = 0x00010000
_AF_UNIX = 1

#: The kernel's name of each architecture (AUDIT_ARCH_...), by the machine's.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

#: Refused calls: numbers on x86-64 and on aarch64; None where there is no such call.
REFUSED: dict[str, tuple[int, int | None]] = {
    # other programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # sockets; a pair of connected ones is allowed, and is what asyncio needs
    "socket": (41, 198),
    # other processes' memory
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    # namespaces, mounts, files by handle
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the kernel's own interfaces
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # memory that the limit of the address space does not count
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
_CLONE = (56, 220)
_SOCKETPAIR = (53, 199)

#: From here on the numbers are the same everywhere, and all but these are as if they did not exist.
#: That leaves out io_uring, pidfd_*, the new mount calls, memfd_secret and what is still to come;
#: `clone3` is left out because its flags cannot be read here, and the C library then uses `clone`.
_COMMON = 424
_NEW_AND_ALLOWED = {
    "close_range": 436,
    "openat2": 437,
    "faccessat2": 439,
    "epoll_pwait2": 441,
    "futex_waitv": 449,
    "set_mempolicy_home_node": 450,
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "mseal": 462,
}


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _fail(number: int) -> bytes:
    return _step(_RETURN, _ERROR | number)


def program(machine: str) -> bytes:
    """The filter for a machine; raises `KeyError` for an architecture without numbers here."""
    column = list(ARCHITECTURES).index(machine)
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":  # numbers of the x32 interface would slip past the others
        steps += [_step(_AT_LEAST, 0x40000000, 0, 1), _step(_RETURN, _KILL)]
    for name, numbers in REFUSED.items():
        number = numbers[column]
        if number is not None:
            why = errno.EACCES if name == "socket" else errno.EPERM
            steps += [_step(_EQUAL, number, 0, 1), _fail(why)]
    for number in _NEW_AND_ALLOWED.values():
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    steps += [_step(_AT_LEAST, _COMMON, 0, 1), _fail(errno.ENOSYS)]
    # The low half of the first argument: both machines are little-endian.
    steps += [
        _step(_EQUAL, _CLONE[column], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _CLONE_THREAD, 5, 0),
        _fail(errno.EPERM),
        _step(_EQUAL, _SOCKETPAIR[column], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_EQUAL, _AF_UNIX, 1, 0),
        _fail(errno.EACCES),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def install() -> None:
    """Put the filter on this process for good; raises `OSError`."""
    code = program(platform.machine())
    held = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    set_no_new_privileges, set_seccomp, with_filter = 38, 22, 2
    for arguments in (
        (set_no_new_privileges, 1, 0, 0, 0),
        (set_seccomp, with_filter, ctypes.create_string_buffer(filter_, len(filter_)), 0, 0),
    ):
        whole = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
        if libc.prctl(*whole) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp is refused here: {errno.errorcode.get(number)}")
