"""Score one uploaded video and write what the request asks for: tables, video, page, archive."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from av.error import FFmpegError

from svfap.errors import SvfapError
from svfap.progress import listen
from svfap.use.annotate import annotate
from svfap.use.card import CAUTION
from svfap.use.fold_metrics import own_figure
from svfap.use.predictor import Predictor, VideoScores
from svfap.use.timeline import DECIMALS, summarise
from svfap.use.timeline_page import write_page
from svfap.video.decode import Reject, declared
from svfap.video.opening import open_container
from svfap.video.recognise import why_no_video

JSON = "scores.json"
_PICTURES = {"html", "mp4", "zip", "stream"}  # formats that need the annotated video


def write_outputs(
    request: dict[str, Any], predictor: Predictor, answer: Callable[[dict[str, Any]], None]
) -> list[str]:
    """Score a video and write its outputs; return the names of the files.

    Args:
        request: `path` of the video, its `name`, the `folder` to write into, the `format`, and the
            most `seconds` of a video.
        predictor: the model with the options of the request.
        answer: takes messages on the progress.

    Raises:
        SvfapError: the video cannot be scored.
    """
    path, name, folder = Path(request["path"]), str(request["name"]), Path(request["folder"])
    with listen(_Progress(answer)):
        try:
            _check(path, request["seconds"], predictor.options.stream)
            (scores,) = predictor.score_videos({name: path})
            if scores.reject:
                raise SvfapError(scores.reject)
            return _write(scores, predictor, folder, str(request["format"]))
        except (Reject, SvfapError) as error:
            # A message names the file as the sender knows it.
            raise SvfapError(str(error).replace(str(path), name)) from None


def _check(path: Path, seconds: float, stream: int | None) -> None:
    """Reject a file that holds no video, or a longer one than allowed."""
    try:
        open_container(path).close()
    except (FFmpegError, ValueError):
        raise Reject("not a video that can be read, or only a part of one") from None
    if reason := why_no_video(path):
        raise Reject(reason)
    facts = declared(path, stream)
    if facts.frames > seconds * facts.fps:
        raise Reject(
            f"the video lasts {facts.frames / facts.fps:.0f} s, and the server takes up to"
            f" {seconds:g} s; cut it"
        )


def _write(scores: VideoScores, predictor: Predictor, folder: Path, form: str) -> list[str]:
    """Write the tables, and the annotated video and the page if the format needs them."""
    table, stem, footage = scores.table, Path(scores.video).stem, scores.footage
    assert footage is not None  # accepted videos have it
    table.round(DECIMALS).to_csv(folder / f"{stem}.csv", index=False)
    content = _content(table, predictor) | {"seconds": round(footage.seconds, 3)}
    (folder / JSON).write_text(json.dumps(content), encoding="utf-8")
    names = [f"{stem}.csv"]
    if form in _PICTURES:
        video, page = folder / f"{stem}.mp4", folder / f"{stem}.html"
        size = annotate(footage, table, predictor.facts, video, show_progress=True)
        bundle, seconds = predictor.bundle, footage.seconds
        write_page(page, table, bundle, video=video, size=size, seconds=seconds)
        names += [video.name, page.name]
    if form == "zip":
        with zipfile.ZipFile(folder / f"{stem}.zip", "w") as archive:
            for name in (*names, JSON):
                archive.write(folder / name, name)
        names.append(f"{stem}.zip")
    return names


def _content(table: pd.DataFrame, predictor: Predictor) -> dict[str, Any]:
    """Return the answer of the API: a record per window, and one per face with its means."""
    facts = predictor.facts
    return {
        "video": str(table["video"].iloc[0]),
        "model": predictor.bundle.title,
        "task": facts.job.task,
        "targets": list(facts.job.targets),
        "windows": _records(table, facts.job.targets),
        "faces": _records(summarise(table, facts), facts.job.targets),
        "notice": facts.notices,
        "tested": own_figure(predictor.bundle),
        "caution": CAUTION,
    }


def _records(table: pd.DataFrame, targets: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return rows as records; scores have their own level, since a target may be called `start`."""
    count = table.shape[1] - len(targets)  # the targets are the last columns
    facts, scores = table.iloc[:, :count], table.iloc[:, count:].astype(float).round(DECIMALS)
    return [
        {k: v for k, v in fact.items() if k != "video"} | {"scores": score}
        for fact, score in zip(
            json.loads(facts.to_json(orient="records")), scores.to_dict("records"), strict=True
        )
    ]


class _Progress:
    """Sends the progress, at most once for each hundredth."""

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        self._answer, self._last = answer, ("", -1)

    def __call__(self, label: str, done: int, total: int) -> None:
        stage = label.rpartition(": ")[2]  # `faces` or `scores`; of the annotated video, its name
        stage = stage if stage in {"faces", "scores"} else "video"
        now = stage, min(100, 100 * done // total) if total else 0
        if now != self._last:
            self._last = now
            self._answer({"progress": {"stage": stage, "percent": now[1]}})
