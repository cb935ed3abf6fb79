"""The description of the API in the form of OpenAPI 3.1."""

from typing import Any, get_args

from svfap import __version__
from svfap.config import Preset
from svfap.serve.options import FORMATS
from svfap.serve.refusal import Limits
from svfap.serve.upload import FIELD
from svfap.use.options import WINDOW, Options, Speaker

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer"}
_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "hop": (
        "seconds from one window to the next; window: no overlap; default: half a window",
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"enum": [WINDOW]}]},
    ),
    "speaker": (
        "score the main face of each moment, or all faces",
        {"enum": [*get_args(Speaker)], "default": Options.speaker},
    ),
    "preset": ("how to crop faces; default: as in training", {"enum": [*get_args(Preset)]}),
    "pad": (
        "also score faces seen for less than a window; their last frame repeats",
        {"type": "boolean", "default": Options.pad},
    ),
    "batch_size": (
        "windows to score at a time",
        {"type": "integer", "minimum": 1, "default": Options.batch_size},
    ),
    "stream": (
        "number of the video in a file of several; default: as ffmpeg",
        {"type": "integer", "minimum": 0},
    ),
}
_WHY = {
    "400": "no video in the request, a broken form, or a wrong option",
    "401": "the token is missing or wrong",
    "403": "the request comes from a page of another server",
    "408": "the upload has stopped",
    "410": "the camera has been ended",
    "413": "the upload is too large",
    "415": "JSON or a compressed upload instead of a video",
    "422": "the video cannot be scored: not a video, damaged, no face, too short, too long",
    "500": "scoring has failed or its process has ended; the server goes on",
    "503": "too many requests wait; see the header Retry-After",
    "504": "scoring took too long",
    "507": "the server's disk is full or cannot be written",
}


def description(limits: Limits) -> dict[str, Any]:
    """Return the description, with the limits of this server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "svfap serve",
            "version": __version__,
            "description": (
                f"Scores faces in videos over time. An upload has at most {limits.megabytes:g} MB,"
                f" a video at most {limits.seconds:g} s. The server keeps no file unless it was"
                " started with --keep."
            ),
        },
        "paths": {
            "/predict": {"post": _predict()},
            "/live": {"post": _live(), "delete": _end_live()},
            "/model": {"get": _get("Facts about the model", "Model")},
            "/health": {"get": _get("Whether the server works; needs no token", "Health")},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _parameter(name: str, about: str, schema: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": about, "schema": schema, **more}


def _options() -> list[dict[str, Any]]:
    return [_parameter(name, about, schema) for name, (about, schema) in _OPTIONS.items()]


def _predict() -> dict[str, Any]:
    form = "form of the answer: the scores, a table, the page, the annotated video, all files in"
    parameters = [
        _parameter(
            "format",
            f"{form} an archive, or lines of JSON on the progress with all files after them",
            {"enum": [*FORMATS], "default": FORMATS[0]},
        ),
        _parameter("name", "name of the video, if it is sent as the body", _TEXT),
        *_options(),
    ]
    binary = {"type": "string", "format": "binary"}
    fields = {FIELD: binary} | {name: schema for name, (_, schema) in _OPTIONS.items()}
    schema = {"type": "object", "required": [FIELD], "properties": fields}
    media = {
        "application/json": {"schema": _reference("Scores")},
        **{kind: {"schema": binary} for kind in ("video/mp4", "application/zip")},
        **{kind: {"schema": _TEXT} for kind in ("text/csv", "text/html", "application/x-ndjson")},
    }
    refusals = sorted(_WHY.keys() - {"410"})
    return {
        "summary": "Score a video",
        "description": f"Send a form with the file in the field `{FIELD}`, or the file as body.",
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": schema},
                "application/octet-stream": {"schema": binary},
            },
        },
        "responses": _responses({"description": "the scores", "content": media}, refusals),
    }


def _live() -> dict[str, Any]:
    more = [
        _parameter("camera", "name of the camera, made up at random", _TEXT, required=True),
        _parameter("taken", "when it was taken, in seconds of any clock", _NUMBER, required=True),
    ]
    jpeg = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    answer = {"application/json": {"schema": _reference("Seen")}}
    return {
        "summary": "Score the next picture of a camera",
        "description": "Send pictures one after the other; each answer has the newest scores.",
        "parameters": [*more, *_options()],
        "requestBody": {"required": True, "content": jpeg},
        "responses": _responses(
            {"description": "the face and the newest scores", "content": answer},
            ["400", "401", "403", "410", "413", "422", "500", "503"],
        ),
    }


def _end_live() -> dict[str, Any]:
    return {
        "summary": "End a camera",
        "parameters": [_parameter("camera", "name of the camera", _TEXT, required=True)],
        "responses": {"204": {"description": "the camera has ended"}},
    }


def _get(summary: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(schema)}}
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }


def _responses(good: dict[str, Any], statuses: list[str]) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference("Error")}}
    bad = {status: {"description": _WHY[status], "content": content} for status in statuses}
    return {"200": good} | bad


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _record(**properties: object) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


def _list(items: object) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _schemas() -> dict[str, Any]:
    scores = {"type": "object", "additionalProperties": _NUMBER}
    span = {"face": _COUNT, "start": _NUMBER, "end": _NUMBER, "scores": scores}
    window, face = _record(**span), _record(**span, windows=_COUNT)
    for each in (window, face):
        each["properties"] |= {"label": {"type": "string", "description": "most probable class"}}
    model = {"model": _TEXT, "task": _TEXT, "targets": _list(_TEXT), "notice": _TEXT}
    optional = ["array", "null"]
    return {
        "Scores": _record(
            video=_TEXT,
            seconds=_NUMBER,
            windows=_list(window),
            faces=_list(face),
            tested=_TEXT,
            caution=_TEXT,
            **model,
        ),
        "Seen": _record(
            corners={"type": optional, "items": _list(_NUMBER)},
            scores={"type": optional, "items": _NUMBER},
            end={"type": ["number", "null"]},
            window={"type": ["number", "null"]},
        ),
        "Model": _record(
            **model, colours=_list(_TEXT), limits=_record(megabytes=_NUMBER, seconds=_NUMBER)
        ),
        "Health": _record(status=_TEXT, waiting=_COUNT),
        "Error": _record(error=_TEXT, status=_COUNT),
    }
