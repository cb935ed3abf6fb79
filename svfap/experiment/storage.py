"""The storage of a workflow without a shared disk: a check before the first job, logs, a fault."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from svfap.errors import SvfapError
from svfap.redact import redacted

REMARK = " (send to storage)"  # what Snakemake's messages add to the address of an output


def check(provider: Any, prefix: str, folders: Iterable[Path]) -> None:  # noqa: ANN401  (a class of Snakemake's plugin)
    """Ask the storage for a file once, where Snakemake would fail for every file.

    Args:
        provider: the storage provider of a workflow.
        prefix: the value of `--default-storage-prefix`.
        folders: the folders `data` and `results` of the configuration.

    Raises:
        SvfapError: the storage cannot be reached, refuses, or has no such bucket; or its plugin
            lacks a program.
    """
    where = redacted(prefix)
    if unfit := re.search(r"[^\w./:@%+,=~-]", prefix):
        raise SvfapError(
            f"storage {where}: {unfit[0]!r} in --default-storage-prefix; Snakemake hands it to jobs"
            " without quotes, so use letters, digits and ./_- only"
        )
    if outside := [folder for folder in folders if ".." in folder.parts]:
        raise SvfapError(
            f"storage {where}: {outside[0]} would lie outside it; give `data` and `results` paths"
            " without '..'"
        )
    if type(provider).__module__.startswith("snakemake_storage_plugin_fs") and not which("rsync"):
        raise SvfapError(
            f"storage {where}: Snakemake's plugin for folders needs the program rsync; install it"
        )
    try:
        asked = provider.object(f"{prefix.rstrip('/')}/svfap" if prefix else "svfap")
        asked.exists()
        bucket = getattr(asked, "bucket_exists", None)
    except Exception as error:  # every storage has exceptions of its own
        reason = redacted(" ".join(str(error).split())) or type(error).__name__
        raise SvfapError(
            f"storage {where}: {reason}; check address, credentials and permissions"
        ) from None
    if bucket is not None and not bucket():
        raise SvfapError(
            f"storage {where}: there is no such bucket, or you may not see it; create it or correct"
            " --default-storage-prefix"
        )


def reader(provider: Any) -> Callable[[str], str]:  # noqa: ANN401  (a class of Snakemake's plugin)
    """Return a function that reads a log in the storage; it returns "" if there is none.

    Args:
        provider: the storage provider of a workflow.
    """

    def read(name: str) -> str:
        with TemporaryDirectory() as folder, suppress(Exception):  # a log is no reason to fail
            asked = provider.object(name.removesuffix(REMARK))
            log = Path(folder) / "log"
            asked.set_local_path(log)
            asked.retrieve_object()
            return log.read_text(encoding="utf-8", errors="replace")
        return ""

    return read


def notice_new_folders(provider: Any) -> None:  # noqa: ANN401  (a class of Snakemake's plugin)
    """Let the storage ask again for a folder that was missing.

    Version 0.3.6 of the plugin for S3 remembers that a folder was missing before its job, and so
    never sees the folder that the job has made. It remembers in `_is_dir`; other plugins have none.

    Args:
        provider: the storage provider of a workflow.
    """
    kind = provider.get_storage_object_cls()
    asked = getattr(kind, "is_dir", None)
    if asked is None or not hasattr(kind, "get_subkeys"):
        return

    def is_dir(self: Any) -> bool:  # noqa: ANN401
        self._is_dir = self._is_dir or None
        return bool(asked(self))

    kind.is_dir = is_dir
