"""Find out before hours of work whether their output can be written."""

from pathlib import Path
from tempfile import TemporaryDirectory

from svfap.errors import SvfapError


def check_writable(folder: Path) -> None:
    """Check that files can be written into a folder, or that it can be created with its parents.

    Raises:
        SvfapError: it cannot, because of a file in its place, rights, or a full or read-only disk.
    """
    try:
        there = next(
            each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()
        )
        # Rights alone do not tell: the disk may be read-only or full, or no real one, such as /sys.
        with TemporaryDirectory(prefix=".svfap-", dir=there):
            pass
    except OSError as error:
        raise SvfapError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder that you may write to"
        ) from None
