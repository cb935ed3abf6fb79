"""Free memory of the machine, and of the cgroups that limit this process (containers, SLURM)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class CgroupFiles(NamedTuple):
    """Names in a cgroup's folder: its limit and its use in bytes, and a row of `memory.stat`.

    Attributes:
        limit: file with the most bytes that the group may use.
        used: file with the bytes in use, including the file cache.
        cache: row with the bytes of the file cache that the kernel drops first.
    """

    limit: str
    used: str
    cache: str


# The second field of a line in /proc/self/cgroup, and the files of that version of cgroups.
VERSIONS = {
    "": CgroupFiles("memory.max", "memory.current", "inactive_file"),
    "memory": CgroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(root: Path = Path("/")) -> int:
    """Return how many more bytes this process can use.

    Args:
        root: folder in which `proc` and `sys` are mounted.
    """
    meminfo = root / "proc/meminfo"
    if not meminfo.is_file():  # not Linux
        return sys.maxsize
    machine = int(meminfo.read_text(encoding="utf-8").split("MemAvailable:")[1].split()[0]) * 1024
    return min([machine, *_free_in_cgroups(root)])


def _free_in_cgroups(root: Path) -> Iterator[int]:
    """Yield the free bytes of each cgroup of this process that limits memory."""
    for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controller, name = line.split(":", 2)
        if controller not in VERSIONS:
            continue
        files, mount = VERSIONS[controller], root / "sys/fs/cgroup" / controller
        # The limits of all ancestors hold. In a container, the first names may not exist.
        group = mount / name.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount) and (folder / files.limit).is_file():
                limit = (folder / files.limit).read_text(encoding="utf-8").strip()
                used = int((folder / files.used).read_text(encoding="utf-8"))
                rows = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
                cache = int(dict(row.split() for row in rows)[files.cache])
                if limit != "max":
                    yield max(0, int(limit) - used + cache)
