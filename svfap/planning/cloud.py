"""Estimate the price of an experiment on a cloud, as a range: computing, object storage, egress.

Prices differ several times between providers, and change. The package contains the ranges of
prices.csv with their sources; `svfap plan --cloud FILE` takes a user's own.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field, NonNegativeFloat, model_validator

from svfap.config.section import Section
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.planning.estimate import Estimate
from svfap.planning.machines import Machine

SHIPPED = Path(__file__).with_name("prices.csv")
HOUR = 3600
START_MINUTES = 5  # assumed: a new machine starts, loads the image and the model


class Price(Section):
    """What a unit costs in US dollars, at least and at most."""

    item: str
    low: NonNegativeFloat
    high: NonNegativeFloat
    unit: str
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> "Price":
        if self.low > self.high:
            raise ValueError(f"`low` of {self.item} is above `high`; swap them")
        return self


Prices = Mapping[str, Price]


class Charge(Section):
    """What an experiment costs for one purpose, in US dollars."""

    purpose: str
    amount: str = Field(description="amount of the purpose, with its unit")
    low: float
    high: float


def read(path: Path) -> dict[str, Price]:
    """Return item -> price of a file like prices.csv; items that it lacks are as shipped.

    Raises:
        SvfapError: the file is missing or contains something else.
    """
    found: dict[str, Price] = {}
    for file in (SHIPPED, path):
        where = f"{file}: contains no prices (columns {','.join(Price.model_fields)})"
        try:
            with file.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines))
        except (OSError, ValueError, csv.Error) as error:
            raise SvfapError(f"{where}: {error}") from None
        if not rows:
            raise SvfapError(where)
        found |= {row["item"]: price for row in rows if (price := parse(Price, row, where=where))}
    return found


def charges(
    stages: Mapping[str, Estimate], machine: Machine, prices: Prices, *, save_minutes: float
) -> list[Charge]:
    """Return what the stages of an experiment cost on a machine's cloud twin.

    A job with a GPU pays for the GPU, whose price includes the CPUs; other jobs pay for CPUs. A
    spot machine is taken away now and then: its job starts again from its last saved state, half of
    `save_minutes` old on average.

    Raises:
        SvfapError: the price of the machine's GPU is unknown.
    """
    gpu_hours = sum(stage.gpu_seconds for stage in stages.values()) / HOUR
    cpu_hours = sum(s.cpu_seconds for s in stages.values() if not s.gpu_seconds) / HOUR
    hours = {"cpu": cpu_hours}
    if gpu_hours:
        hours = {_gpu_of(machine, prices): gpu_hours} | hours
    lost = (save_minutes / 2 + START_MINUTES) / 60  # hours of an interruption
    kept, spot = prices["uninterrupted"], prices["spot"]
    longer = 1 + lost / kept.high, 1 + lost / kept.low
    found = [*_computing(hours, prices)]
    for charge in [*found]:
        low, high = charge.low * spot.low * longer[0], charge.high * spot.high * longer[1]
        more = f"{longer[0] - 1:.0%}-{longer[1] - 1:.0%} more for restarts"
        found.append(Charge(purpose=f"{charge.purpose}, spot", amount=more, low=low, high=high))
    gigabytes = sum(stage.disk_bytes for stage in stages.values()) / 1e9
    for item, purpose in (("storage", "storage, a month"), ("egress", "copying all of it out")):
        found.append(_charge(purpose, f"{gigabytes:,.0f} GB", gigabytes, prices[item]))
    return found


def _computing(hours: Mapping[str, float], prices: Prices) -> Iterator[Charge]:
    for item, count in hours.items():
        unit = prices[item].unit
        yield _charge(item, f"{count:,.{0 if count >= 10 else 2}f} {unit}s", count, prices[item])


def _charge(purpose: str, amount: str, count: float, price: Price) -> Charge:
    low, high = count * price.low, count * price.high
    return Charge(purpose=purpose, amount=amount, low=low, high=high)


def _gpu_of(machine: Machine, prices: Prices) -> str:
    """Return the item that a preset's name starts with, such as h100 for h100x8."""
    known = [item for item, price in prices.items() if price.unit == "GPU hour"]
    for item in known:
        if machine.name == item or machine.name.startswith((f"{item}x", f"{item}-")):
            return item
    raise SvfapError(
        f"--cloud: the price of a GPU of '{machine.name}' is unknown; choose a --machine with"
        f" {', '.join(known)}, or give a copy of {SHIPPED} with its price: --cloud FILE"
    )


def table(found: list[Charge]) -> list[str]:
    """Return the charges as lines of text, none without charges."""
    if not found:
        return []
    rows = [("on a cloud", "amount", "US dollars")]
    rows += [(c.purpose, c.amount, f"{_dollars(c.low)} to {_dollars(c.high)}") for c in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]


def assumptions(found: list[Charge], prices: Prices) -> Iterator[str]:
    """Yield what the charges are based on."""
    charged, kept = {charge.purpose for charge in found}, prices["uninterrupted"]
    used = [item for item, price in prices.items() if item in charged or "hour" not in price.unit]
    yield (
        "Cloud: bucket and machines are in one region, where transfer is free; elsewhere every job"
        " pays egress for what it reads. The storage holds all that the disk column counts."
    )
    yield (
        f"Cloud: a spot machine runs {kept.low:g} to {kept.high:g} hours; a restart takes"
        f" {START_MINUTES} minutes and loses half of machine.save_minutes on average."
    )
    for item in used:
        price = prices[item]
        yield f"Price of {item}: {price.low:g} to {price.high:g}, {price.unit} ({price.source})."


def _dollars(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.2f}"
