"""Write events as an annotation file of ELAN (`.eaf`, EAF 3.0 of the Max Planck Institute)."""

import mimetypes
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from svfap.use.events import Event
from svfap.use.find_videos import printable

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_TYPE = "default-lt"  # ELAN's name of the type of tiers without constraints


def write_eaf(path: Path, tiers: Mapping[str, Sequence[Event]], *, video: Path) -> None:
    """Write an annotation file.

    Args:
        path: file to write.
        tiers: name of the tier -> its events.
        video: the video, which ELAN opens by its path relative to the file, or by its whole path.
            A folder of frames is not linked, since ELAN cannot play it.
    """
    document = Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "svfap",
            "DATE": datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    events = [event for own in tiers.values() for event in own]
    header = SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if video.is_file():
        SubElement(header, "MEDIA_DESCRIPTOR", _media(video, path.parent))
    SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(len(events))
    slots = _add_time_order(document, events)
    _add_tiers(document, tiers, slots)
    SubElement(
        document,
        "LINGUISTIC_TYPE",
        LINGUISTIC_TYPE_ID=_TYPE,
        TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
    )
    indent(document)
    ElementTree(document).write(path, encoding="UTF-8", xml_declaration=True)


def _media(video: Path, folder: Path) -> dict[str, str]:
    """Return the attributes of the video, with its path relative to the annotation file."""
    # Like ELAN itself, leave spaces and other scripts as they are. XML allows no invalid UTF-8.
    whole = video.absolute()
    media = {
        "MEDIA_URL": printable(f"file:///{whole.as_posix().lstrip('/')}"),
        "MIME_TYPE": mimetypes.guess_type(video.name)[0] or "unknown",
    }
    try:
        relative = Path(os.path.relpath(whole, folder.absolute())).as_posix()
    except ValueError:  # on another drive of Windows
        return media
    below = relative if relative.startswith("../") else f"./{relative}"
    return media | {"RELATIVE_MEDIA_URL": printable(below)}


def _add_time_order(document: Element, events: Sequence[Event]) -> list[dict[str, str]]:
    """Add a time slot for both ends of each event; return the attributes that name them."""
    order = SubElement(document, "TIME_ORDER")
    ends = [
        (round(1000 * second), number, side)
        for number, event in enumerate(events)
        for side, second in enumerate(event[:2], 1)
    ]
    slots: list[dict[str, str]] = [{} for _ in events]
    for place, (milliseconds, number, side) in enumerate(sorted(ends), 1):
        slots[number][f"TIME_SLOT_REF{side}"] = f"ts{place}"
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{place}", TIME_VALUE=str(milliseconds))
    return slots


def _add_tiers(
    document: Element, tiers: Mapping[str, Sequence[Event]], slots: Sequence[dict[str, str]]
) -> None:
    """Add the tiers with an annotation for each event."""
    numbers = iter(range(len(slots)))
    for name, events in tiers.items():
        tier = SubElement(document, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF=_TYPE)
        for event in events:
            number = next(numbers)
            names = {"ANNOTATION_ID": f"a{number + 1}", **slots[number]}
            aligned = SubElement(SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", names)
            SubElement(aligned, "ANNOTATION_VALUE").text = event.text
