"""Parameters and multiply-adds of all runs' models, read from the output of stage `cost`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from svfap.errors import SvfapError
from svfap.experiment.layout import MAIN

COLUMNS = (
    "run",
    "parameters",
    "multiply_adds",
    "trained_parameters",
    "pretrain_parameters",
    "pretrain_multiply_adds",
)
TRAINED = "trained (M)"  # header of a table's column


@dataclass(frozen=True)
class CountedCost:
    """The cost of a model, in the units of tables.

    Attributes:
        parameters: parameters of the fine-tuned model, in millions.
        flops: multiply-adds of one clip, in units of 1e9; the paper calls them FLOPs.
        pretrain_flops: multiply-adds of one clip in pre-training, in units of 1e9.
        trained: parameters that fine-tuning trains, in millions; None if it trains all.
    """

    parameters: float
    flops: float
    pretrain_flops: float
    trained: float | None = None

    @property
    def trained_text(self) -> str:
        """The trained parameters in millions and as a share of all, such as "0.43 (0.6 %)"."""
        trained = self.parameters if self.trained is None else self.trained
        return f"{trained:.3g} ({trained / self.parameters:.2%})".replace("%", " %")


def trained_note(costs: Mapping[str, CountedCost]) -> str:
    """Return a sentence on the weights that the main run trains, if they are not all."""
    cost = costs.get(MAIN)
    if cost is None or cost.trained is None:
        return ""
    return f"Our model trains {cost.trained_text} of its {cost.parameters:.3g} million parameters."


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
            row["parameters"] / 1e6,
            row["multiply_adds"] / 1e9,
            row["pretrain_multiply_adds"] / 1e9,
            trained=None
            if row["trained_parameters"] == row["parameters"]
            else row["trained_parameters"] / 1e6,
        )
        for run, row in figures.items()
    }
