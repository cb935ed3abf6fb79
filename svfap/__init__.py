"""SVFAP: from raw face video to a benchmark table (arXiv 2401.00416).

Stable in Python: `svfap.load` and the methods `predict`, `features`, `annotate` and `page` of the
model it returns, the timm names that `import svfap` registers, and
`svfap.models.convert.from_official`. Other modules may move before version 1.0; docs/stable-api.md
has the whole list.
"""

from typing import TYPE_CHECKING, Any

from svfap.models.registry import register
from svfap.threads import wait_passively

if TYPE_CHECKING:
    from pathlib import Path

    from svfap.use.predictor import Predictor

__all__ = ["__version__", "load"]
__version__ = "0.1.0"

register()


def load(
    source: "str | Path",
    *,
    progress: bool | None = None,
    **options: Any,  # noqa: ANN401
) -> "Predictor":
    """Load a trained model for videos: `svfap.load("checkpoint.pt").predict("video.mp4")`.

    Args:
        source: a checkpoint, a folder written by `python -m svfap export`, or its id on the hub.
        progress: whether to show progress bars; by default in notebooks only.
        **options: fields of `svfap.use.options.Options`: hop, speaker, preset, pad, batch_size,
            stream, device.

    Raises:
        SvfapError: the model does not exist or is damaged, an option does not exist, or there is
            no such device.
    """
    wait_passively()
    # Importing torch takes seconds. Every command imports `svfap`, but most do not need torch.
    from svfap.use import loading

    return loading.load(source, progress=progress, options=options)
