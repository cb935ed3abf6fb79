"""What the labels of a dataset mean. Its files carry this record, so that each explains itself."""

import functools
from typing import Literal

from svfap.config.section import Section

Task = Literal["classification", "regression", "unlabelled"]


class LabelNames(Section):
    """The labels of a dataset.

    Attributes:
        dataset: name of the dataset.
        task: what is predicted.
        names: class names in index order, or the names of the regressed values; none if unlabelled.
    """

    dataset: str = ""
    task: Task = "unlabelled"
    names: tuple[str, ...] = ()

    def name_of(self, target: tuple[float, ...]) -> str:
        """Return the class name of a target; "" if it is no class."""
        return self.names[int(target[0])] if self.task == "classification" else ""

    def text(self) -> str:
        """Return the record as JSON for a cell of a table; "" if there are no labels."""
        return self.model_dump_json() if self.names else ""

    @staticmethod
    @functools.lru_cache
    def of_text(text: str) -> "LabelNames":
        """Return the record in a cell; an empty one if an earlier version wrote the table."""
        return LabelNames.model_validate_json(text) if text else LabelNames()


NO_LABEL_NAMES = LabelNames()
