"""A conda channel in a folder, and a `conda` that answers from it: no network, no conda.

The packages are real archives, which py-rattler solves and links. `python` is the interpreter of
the tests in a prefix of its own. It sees the packages of the tests' environment, so everything that
pip should install must be there already, in the versions that the environment file pins.
"""

import bz2
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

VERSION = ".".join(map(str, sys.version_info[:3]))
SITE = f"lib/python{VERSION.rpartition('.')[0]}/site-packages"
PROGRAM = Path(__file__).with_name("conda_program.py")


def add_package(channel: Path, name: str, version: str, *, files=None, links=None, depends=()):
    """Write a package, and its line in the channel's index."""
    files, links = files or {}, links or {}
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": [*depends],
        "subdir": "linux-64",
        "arch": "x86_64",
        "platform": "linux",
    }
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        for path, data in files.items()
    ] + [
        {
            "_path": path,
            "path_type": "softlink",
            "sha256": hashlib.sha256(b"").hexdigest(),
            "size_in_bytes": 0,
        }
        for path in links
    ]
    info = {
        "info/index.json": json.dumps(index).encode(),
        "info/files": "\n".join([*files, *links]).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, data in (info | files).items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    archive = bz2.compress(raw.getvalue())
    folder = channel / "linux-64"
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}-{version}-0.tar.bz2"
    (folder / file).write_bytes(archive)
    listing = folder / "repodata.json"
    listed = json.loads(listing.read_text())["packages"] if listing.exists() else {}
    listed[file] = index | {
        "sha256": hashlib.sha256(archive).hexdigest(),
        "size": len(archive),
        "timestamp": 0,
        "md5": hashlib.md5(archive).hexdigest(),
    }
    write_listing(channel, "linux-64", listed)
    write_listing(channel, "noarch", {})


def write_listing(channel: Path, subdir: str, packages) -> None:
    """Write the index of a platform of a channel."""
    (channel / subdir).mkdir(parents=True, exist_ok=True)
    content = {
        "info": {"subdir": subdir},
        "packages": packages,
        "packages.conda": {},
        "repodata_version": 1,
    }
    (channel / subdir / "repodata.json").write_text(json.dumps(content))


def make(folder: Path) -> None:
    """Write a channel `conda-forge` with python and pip, and `conda` with its `activate`."""
    channel = folder / "conda-forge"
    interpreter = str(Path(sys.base_prefix) / "bin" / f"python{VERSION.rpartition('.')[0]}")
    site = next(path for path in sys.path if path.endswith("site-packages"))
    names = ("python", "python3", f"python{VERSION.rpartition('.')[0]}")
    add_package(
        channel,
        "python",
        VERSION,
        files={
            "pyvenv.cfg": f"home = {Path(interpreter).parent}\nversion = {VERSION}\n".encode(),
            f"{SITE}/tests.pth": f"{site}\n".encode(),
        },
        links={f"bin/{name}": interpreter for name in names},
    )
    add_package(channel, "pip", "26.0", depends=["python"], files={f"{SITE}/pip.txt": b""})
    programs = folder / "bin"
    programs.mkdir()
    conda = f'#!/bin/sh\nexec {sys.executable} {PROGRAM} "$@"\n'
    (programs / "conda").write_text(conda)
    (programs / "conda").chmod(0o755)
    (programs / "activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
