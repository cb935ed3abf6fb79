"""Snakemake in an image in which this package has pydantic and PyYAML only."""

import sys
from importlib.abc import MetaPathFinder
from types import FrameType

KNOWN = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "yaml", "snakemake", "svfap"}
OURS = ("/svfap/", "/workflow/Snakefile", ".smk")


class Lean(MetaPathFinder):
    """Finds no other package for this package and its workflow; Snakemake's own may be there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        ours = frame is not None and any(part in frame.f_code.co_filename for part in OURS)
        if ours and name.split(".", maxsplit=1)[0].partition("_interface")[0] not in KNOWN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Lean())
    from snakemake.cli import main

    main()
