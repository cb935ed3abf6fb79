"""`python -m svfap predict VIDEO|FOLDER ...|CAMERA`: score your own videos, or a camera live."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from svfap.commands.output import check_free, claim
from svfap.commands.predict_options import make_parser
from svfap.errors import SvfapError
from svfap.overwriting import keep_apart, keep_inputs
from svfap.use import camera
from svfap.use.card import CAUTION
from svfap.use.find_videos import FoundVideos, find_all, printable
from svfap.use.model_source import check_predicts
from svfap.use.options import Options
from svfap.use.results import REJECTS, TABLES, Results, output_places
from svfap.use.timeline import as_text, summarise
from svfap.video.encode import find_ffmpeg

# Importing torch, pandas and Matplotlib takes seconds, and a wrong argument must not wait for it.
# So the functions below import what they need.
if TYPE_CHECKING:
    from svfap.use.footage import Footage
    from svfap.use.predictor import Predictor, VideoScores

logger = logging.getLogger(__name__)

_SUFFIXES = (".mp4", ".html")  # of the annotated video and the page
_EAF, _TEXTGRID = ".eaf", ".TextGrid"  # of the labels over time for ELAN and Praat
_MAX_PRINTED = 60  # most windows to print; a longer timeline is only written to files


def run(arguments: Sequence[str]) -> str:
    """Score videos or a camera; write timelines, annotated videos and pages.

    Returns:
        The text to print: scores, notices and the output folder.

    Raises:
        SvfapError: the source, model or output folder cannot be used, or some videos were rejected.
    """
    chosen = make_parser().parse_args(arguments)
    options = Options(
        hop=chosen.hop,
        speaker=chosen.speaker,
        preset=chosen.crop_preset,
        pad=chosen.pad,
        batch_size=chosen.batch_size,
        stream=chosen.stream,
    )
    check_free(chosen.output, overwrite=chosen.overwrite)
    devices = [camera.device_of(source) for source in chosen.sources]
    if any(device is not None for device in devices):
        return _score_live(devices, options, chosen)
    found = find_all(chosen.sources)
    if found.left_out:
        logger.warning("%s", found.describe_left_out())
    places = output_places(chosen.output, found.videos)
    _check_outputs(chosen, found, places)
    return _score_videos(found, places, _load_predictor(chosen.checkpoint, options), chosen)


def _check_outputs(
    chosen: argparse.Namespace, found: FoundVideos, places: Mapping[str, Path]
) -> None:
    """Check, before the model is loaded, that outputs can be written and replace no input."""
    keep_apart(chosen.output, found.videos.values())
    outputs = [chosen.output / name for name in TABLES]
    suffixes = [_EAF] * chosen.eaf + [_TEXTGRID] * chosen.textgrid
    if not chosen.no_video:
        find_ffmpeg()
        suffixes += _SUFFIXES
    outputs += [place.with_name(place.name + s) for place in places.values() for s in suffixes]
    keep_inputs([Path(chosen.checkpoint), *found.videos.values()], outputs)


def _score_videos(
    found: FoundVideos,
    places: Mapping[str, Path],
    predictor: "Predictor",
    chosen: argparse.Namespace,
) -> str:
    """Score all videos, each written as soon as it is done; return the text to print."""
    results: Results | None = None
    try:
        for scores in predictor.score_videos(found.videos):
            shown = printable(str(scores.path))
            if scores.reject and len(found.videos) == 1:
                raise SvfapError(f"{shown}: {scores.reject}")
            if results is None:
                folder = claim(chosen.output, overwrite=True)  # checked before
                others = [
                    (name, printable(str(found.left_out_paths[name])), why)
                    for name, why in found.left_out.items()
                ]
                results = Results(folder, predictor.bundle, others)
            if scores.footage is None:
                logger.warning("%s left out: %s", scores.video, scores.reject)
                results.reject(scores.video, shown, scores.reject)
                continue
            results.add(scores.table)
            if chosen.eaf or chosen.textgrid:
                _write_events(scores, predictor, places[scores.video], chosen)
            if chosen.no_video:
                continue
            if reason := _try_to_write_video(scores, predictor, places[scores.video]):
                results.reject(scores.video, shown, reason)
    finally:
        if results is not None:
            results.finish()
    assert results is not None  # there is at least one video
    return _report(results, predictor, found)


def _write_events(
    scores: "VideoScores", predictor: "Predictor", stem: Path, chosen: argparse.Namespace
) -> None:
    """Write the labels over time of one video for ELAN and Praat, as far as the user wants them."""
    from svfap.use.elan import write_eaf
    from svfap.use.events import find_events
    from svfap.use.praat import write_textgrid

    assert scores.footage is not None
    stem.parent.mkdir(parents=True, exist_ok=True)
    first = scores.footage.first_shown
    tiers = find_events(scores.table, predictor.facts, first=first)
    if chosen.eaf:
        write_eaf(stem.with_name(stem.name + _EAF), tiers, video=Path(str(scores.path)))
    if chosen.textgrid:
        path = stem.with_name(stem.name + _TEXTGRID)
        write_textgrid(path, tiers, seconds=first + scores.footage.seconds)


def _report(results: Results, predictor: "Predictor", found: FoundVideos) -> str:
    """Return the text to print about the results.

    Raises:
        SvfapError: some videos were rejected; the text is printed before.
    """
    frame, videos = results.frame, len(found.videos)
    parts = [as_text(summarise(frame, predictor.facts)), predictor.facts.notices, CAUTION]
    if videos == 1 and len(frame) <= _MAX_PRINTED:
        parts.insert(0, as_text(frame) + "\n")
    text = "\n".join(filter(None, [*parts, f"written to {results.folder}"]))
    if not results.rejects:
        return text
    if not frame.empty:
        print(text)
    _, path, reason = results.rejects[0]
    others = f", with {len(found.left_out)} more that are no videos" if found.left_out else ""
    raise SvfapError(
        f"{len(results.rejects)} of {videos} videos left out, such as {path}: {reason};"
        f" all are in {results.folder / REJECTS}{others}"
    )


def _try_to_write_video(scores: "VideoScores", predictor: "Predictor", place: Path) -> str:
    """Write the annotated video and the page; return why that failed, or an empty text.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    try:
        assert scores.footage is not None
        _write_video(scores, scores.footage, predictor, place)
    except OSError:
        raise  # the next video could not be written either
    except Exception as error:
        if not isinstance(error, SvfapError):
            logger.exception("%s", scores.path)
        reason = f"scored, but its annotated video failed: {error}"
        logger.warning("%s %s", scores.video, reason)
        return reason
    return ""


def _write_video(
    scores: "VideoScores", footage: "Footage", predictor: "Predictor", stem: Path
) -> None:
    """Write the annotated video and the page of one video."""
    from svfap.use.annotate import annotate
    from svfap.use.timeline_page import write_page

    stem.parent.mkdir(parents=True, exist_ok=True)
    video, page = (stem.with_name(stem.name + suffix) for suffix in _SUFFIXES)
    facts = predictor.facts
    size = annotate(footage, scores.table, facts, video, show_progress=predictor.show_progress)
    write_page(
        page, scores.table, predictor.bundle, video=video, size=size, seconds=footage.seconds
    )


def _score_live(
    devices: Sequence[int | str | None], options: Options, chosen: argparse.Namespace
) -> str:
    """Score a camera until it ends, `--seconds` are over, or Ctrl-C; return the text to print.

    Raises:
        SvfapError: there are other sources, or options for videos.
    """
    from svfap.use.live import score_camera

    device = devices[0]
    if device is None or len(devices) > 1:
        raise SvfapError("a camera is scored alone; name it without other sources")
    if chosen.eaf or chosen.textgrid:
        raise SvfapError("--eaf and --textgrid are for videos; record the camera first")
    source = camera.Camera(device)  # before the model is loaded: a missing camera fails at once
    predictor = _load_predictor(chosen.checkpoint, options)
    with source:
        live = score_camera(source, predictor, seconds=chosen.seconds)
    if live.table.empty:
        raise SvfapError(
            f"{chosen.sources[0]}: no face was seen for a whole window of {live.window:.2f} s;"
            " face the camera for longer"
        )
    folder = claim(chosen.output, overwrite=True)
    results = Results(folder, predictor.bundle)
    results.add(live.table)
    results.finish()
    parts = [as_text(summarise(live.table, predictor.facts)), predictor.facts.notices, CAUTION]
    return "\n".join(filter(None, [*parts, live.latency_text(), f"written to {folder}"]))


def _load_predictor(source: str, options: Options) -> "Predictor":
    """Load a model and check that it has a head."""
    check_predicts(source)
    from svfap.use import bundle as bundles
    from svfap.use.predictor import Predictor

    bundle = bundles.load(source)
    bundle.require_head()
    return Predictor(bundle, options, show_progress=True)
