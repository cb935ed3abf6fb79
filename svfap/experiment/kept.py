"""Where stages keep what must survive a failed or killed job.

Face clips and saves of a training lie beside the outputs, unless the variable `SVFAP_STATE` names
another place: a folder, which keeps both, or the address of an object store such as
`s3://bucket/folder`, which keeps the saves. The place belongs to one results folder; its parts are
named like the outputs.
"""

import os
from pathlib import Path

from svfap.experiment import layout

VARIABLE = "SVFAP_STATE"
OUTPUTS = (layout.CLIPS, layout.FINETUNED, layout.PRETRAINED)


def folder(output: Path) -> Path:
    """Return the folder on this machine for what is kept of a stage's output."""
    value, place = os.environ.get(VARIABLE, ""), _place(output)
    if not value or not place or "://" in value:
        return output.parent
    return Path(value).absolute() / place


def address(output: Path) -> str:
    """Return the address in an object store for the same; empty if there is none."""
    value, place = os.environ.get(VARIABLE, ""), _place(output)
    return f"{value.rstrip('/')}/{place}" if place and "://" in value else ""


def _place(output: Path) -> str:
    """Return the folder of an output below the data or results; empty for another place."""
    for kind in OUTPUTS:
        names = kind.parse(output)
        if names is not None:
            return str(Path(kind.pattern.format(**names)).parent)
    return ""
