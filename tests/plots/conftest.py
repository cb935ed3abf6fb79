"""Fixtures for the figures."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from svfap.plots import classes, clip_figures, curves, quality, scatter, style


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, so that their texts can be read."""
    figures: list[Figure] = []
    save = style.save

    def keep(figure: Figure, path: Path) -> None:
        save(figure, path)
        figures.append(figure)

    for module in (classes, clip_figures, curves, quality, scatter):
        monkeypatch.setattr(module, "save", keep)
    return figures
