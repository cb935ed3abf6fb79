"""Work around a fault of Snakemake's plugin for S3 that concerns folders."""

from typing import Any


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
