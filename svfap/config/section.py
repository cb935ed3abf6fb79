"""The base class of all sections of a configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

# Names of datasets and variants become names of folders.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Section(BaseModel):
    """A frozen group of keys; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
