"""The signature of a stage, read without importing the stage.

Most stages import torch, which takes seconds. A wrong argument must be reported at once, and the
command line and its checks need no more than the signature and the docstring.
"""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]


def stage_signature(stage: str) -> Callable[..., None]:
    """Return a function with the signature and docstring of a stage's `run`, which does nothing.

    Names in the signature are imported as the stage's module imports them.
    """
    module = ast.parse((PACKAGE / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    run = next(n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "run")
    run.body = run.body[:1]  # the docstring
    used = {node.id for node in ast.walk(run) if isinstance(node, ast.Name)}
    names: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = alias.asname or alias.name
                if name in used:
                    names[name] = getattr(importlib.import_module(node.module), alias.name)
    code = compile(ast.Module([run], type_ignores=[]), f"svfap/stages/{stage}.py", "exec")
    exec(code, names)
    function: Callable[..., None] = names["run"]
    return function
