"""Parameters and multiply-adds of all runs' models, read from the output of stage `cost`."""

from dataclasses import dataclass
from pathlib import Path

from svfap.errors import SvfapError

COLUMNS = (
    "run",
    "parameters",
    "multiply_adds",
    "pretrain_parameters",
    "pretrain_multiply_adds",
)


@dataclass(frozen=True)
class CountedCost:
    """The cost of a model, in the units of tables.

    Attributes:
        parameters: parameters of the fine-tuned model, in millions.
        flops: multiply-adds of one clip, in units of 1e9; the paper calls them FLOPs.
        pretrain_flops: multiply-adds of one clip in pre-training, in units of 1e9.
    """

    parameters: float
    flops: float
    pretrain_flops: float


def read_costs(path: Path) -> dict[str, CountedCost]:
    """Return run -> its cost; the main run's name is empty.

    Raises:
        SvfapError: the file is missing or lacks a column.
    """
    import pandas as pd  # here, since the stage `cost` needs only `COLUMNS`

    try:
        frame = pd.read_csv(path, keep_default_na=False)[list(COLUMNS)]
    except (OSError, KeyError, ValueError) as error:
        # str(KeyError) adds quotes, so use the argument: the message, on several lines.
        reason = getattr(error, "strerror", None) or " ".join(str(error.args[0]).split())
        raise SvfapError(f"{path}: not a list of costs ({reason}); run the cost stage") from None
    figures = frame.set_index("run").astype(float).to_dict(orient="index")
    return {
        str(run): CountedCost(
            row["parameters"] / 1e6, row["multiply_adds"] / 1e9, row["pretrain_multiply_adds"] / 1e9
        )
        for run, row in figures.items()
    }
