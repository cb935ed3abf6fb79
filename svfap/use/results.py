"""The folder of results: tables that grow by each video as soon as it is done.

`timeline.csv`, `summary.csv` and `rejects.csv` are complete after every video, even if the program
is killed. `timeline.parquet` and `timeline.json` can only be written as a whole, at the end.
"""

import csv
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svfap.use.card import CARD, CAUTION, write_card
from svfap.use.timeline import DECIMALS, as_json, build_timeline, summarise

if TYPE_CHECKING:
    import pandas as pd

    from svfap.use.bundle import Bundle

TIMELINE, SUMMARY, REJECTS = "timeline.csv", "summary.csv", "rejects.csv"
PARQUET, JSON = "timeline.parquet", "timeline.json"
TABLES = (TIMELINE, SUMMARY, REJECTS, PARQUET, JSON, CARD)


def is_output(folder: Path) -> bool:
    """Return whether a folder holds results of an earlier call."""
    return all((folder / name).is_file() for name in (TIMELINE, REJECTS, CARD))


def output_places(folder: Path, videos: Iterable[str]) -> dict[str, Path]:
    """Return name -> where the annotated video and the page go, without their suffixes.

    That is the video's name without its suffix. It is the whole name, with a number if needed,
    where two places would be equal or differ only in upper and lower case, which some file systems
    ignore.
    """
    names = [*videos]
    stems = Counter(_folded(_stem(name)) for name in names)
    taken = {_folded(str(parent)) for name in names for parent in Path(name).parents}
    places = {}
    for name in names:
        wanted = _stem(name) if stems[_folded(_stem(name))] == 1 else name
        number, place = 1, wanted
        while _folded(f"{place}.mp4") in taken:
            number += 1
            place = f"{wanted} ({number})"
        taken.add(_folded(f"{place}.mp4"))
        places[name] = folder / place
    return places


def _stem(name: str) -> str:
    return str(Path(name).with_name(Path(name).stem))


def _folded(name: str) -> str:
    """Return a name as file systems compare it that ignore case and the form of accents."""
    return unicodedata.normalize("NFC", name).casefold()


class Results:
    """The tables of scored videos, in a folder.

    Args:
        folder: an existing folder; tables of an earlier call in it are replaced.
        bundle: the model that scores the videos.
        left_out: name, path and reason of files that are no videos; listed in `rejects.csv` too.

    Attributes:
        folder: the folder.
        rejects: name, path and reason of each video without scores.
    """

    def __init__(
        self, folder: Path, bundle: "Bundle", left_out: Iterable[Sequence[str]] = ()
    ) -> None:
        self.folder, self._bundle = folder, bundle
        self.rejects: list[tuple[str, str, str]] = []
        facts = bundle.facts
        self._tables = [
            build_timeline("", [], np.empty((0, len(facts.job.targets)), np.float32), facts)
        ]
        for name in TABLES:
            (folder / name).unlink(missing_ok=True)
        write_card(bundle, folder / CARD)
        self._append(self._tables[0], header=True)
        self._append_rejects(("video", "path", "reason"))
        self._append_rejects(*left_out)

    @property
    def frame(self) -> "pd.DataFrame":
        """The timelines of all videos so far, see `build_timeline`."""
        import pandas as pd  # importing it takes a second, and `predict --help` needs no tables

        return pd.concat(self._tables, ignore_index=True)

    def add(self, table: "pd.DataFrame") -> None:
        """Append the timeline of one video."""
        self._tables.append(table)
        self._append(table, header=False)

    def reject(self, video: str, path: str, reason: str) -> None:
        """Append a video to the list of rejects."""
        self.rejects.append((video, path, reason))
        self._append_rejects(self.rejects[-1])

    def finish(self) -> None:
        """Write the tables that exist only as a whole."""
        self.frame.to_parquet(self.folder / PARQUET, index=False)
        from svfap.use.fold_metrics import own_figure

        model = {"model": self._bundle.title, "card": CARD, "tested": own_figure(self._bundle)}
        content = model | {"caution": CAUTION} | as_json(self.frame, self._bundle.facts)
        text = json.dumps(content, indent=1) + "\n"
        (self.folder / JSON).write_text(text, encoding="utf-8")

    def _append(self, table: "pd.DataFrame", *, header: bool) -> None:
        summary = summarise(table, self._bundle.facts)
        for name, rows in ((TIMELINE, table), (SUMMARY, summary)):
            path = self.folder / name
            rows.round(DECIMALS).to_csv(path, mode="a", header=header, index=False)

    def _append_rejects(self, *rows: Sequence[str]) -> None:
        with (self.folder / REJECTS).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
