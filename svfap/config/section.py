"""The base class of all sections of a configuration."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

# Names of datasets and variants become names of folders.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Section(BaseModel):
    """A frozen group of keys; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: object) -> object:
        """Complete a nested section from the default of its field, key by key.

        Fine-tuning and pre-training have the same class of optimiser keys, but other defaults.
        """
        if not isinstance(values, Mapping):
            return values
        completed = dict(values)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Section) and isinstance(values.get(name), Mapping):
                completed[name] = {**field.default.model_dump(exclude_unset=True), **values[name]}
        return completed
