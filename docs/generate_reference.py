"""Generate pages of the site from the parsers of the command line, the API and the changelog."""

import contextlib
import inspect
import io
import os
import pkgutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from svfap import __main__
from svfap.commands import COMMANDS
from svfap.experiment.stage_list import STAGE_NAMES

ROOT = Path(__file__).parent.parent
WIDTH = "100"  # letters in a line of help
LEAD = """# Command line

`svfap COMMAND` and `python -m svfap COMMAND` are the same. Each text is what `--help` prints. If
you can fix what is wrong, a command prints one line, `svfap: error: ...`, and ends with code 2.
"""
STAGES = """## Stages

Snakemake calls these, one for each job; `snakemake --printshellcmds` shows with which options.
"""
PUBLIC = """# Public API

Everything here is [stable](stable-api.md). Other modules are in *Internals* and may change in any
release.
"""
STABLE = (
    "svfap.load",
    *(f"svfap.use.predictor.Predictor.{n}" for n in ("predict", "features", "annotate", "page")),
    "svfap.use.options.Options",
    "svfap.models.convert.from_official",
    "svfap.errors.SvfapError",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "command-line.md": _command_line(),
        "public-api.md": _public(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "]("),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def _public() -> str:
    """Signature and docstring of everything stable."""
    parts = [PUBLIC]
    for name in STABLE:
        found = pkgutil.resolve_name(name)
        of_exception = inspect.isclass(found) and issubclass(found, Exception)
        signature = f"{found.__name__}{'' if of_exception else inspect.signature(found)}"
        parts += [f"## {name}", f"```python\n{signature}\n```"]
        parts.append(f"```text\n{inspect.getdoc(found)}\n```")
    return "\n\n".join(parts) + "\n"


def _command_line() -> str:
    """What each command and stage prints for `--help`."""
    parts = [LEAD, f"```text\n{_help()}```"]
    parts += [f"## {name}\n\n```text\n{_help(name)}```" for name in COMMANDS]
    parts += [STAGES, *(f"### {name}\n\n```text\n{_help(name)}```" for name in STAGE_NAMES)]
    return "\n\n".join(parts) + "\n"


def _help(*names: str) -> str:
    """Return the help of a command, as wide on every machine."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            __main__.main([*names, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return printed.getvalue()
