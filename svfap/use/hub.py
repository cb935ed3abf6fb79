"""Write the folder of a shared model to the Hugging Face hub."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from svfap.errors import SvfapError
from svfap.use.shared_files import FILES

_REASONS = {
    401: "the hub does not know the token; run `hf auth login` or correct HF_TOKEN",
    403: "the token may not write there; choose a name of yours, or a token that may write",
    404: "the hub has no such owner, or the token may not see it; correct the name",
    409: "another repository has this name; choose another",
    413: "a file is too large for the hub; leave out a format",
    429: "the hub is asked too often; try again in some minutes",
}


def check_push(name: str) -> None:
    """Check what can be checked before a model is written: the name, and that there is a token.

    Raises:
        SvfapError: the name is not OWNER/NAME as the hub allows it, or there is no token.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise SvfapError(f"{name!r} is no name of the hub: {error}") from None
    if name.count("/") != 1:
        raise SvfapError(f"{name!r} is no name of the hub; give OWNER/NAME, such as me/my-model")
    if not get_token():
        raise SvfapError(
            f"{name}: the hub needs a token that may write; run `hf auth login` or set HF_TOKEN"
        )


def push(folder: Path, name: str, *, public: bool) -> str:
    """Write the files of a shared model to the hub; create the repository if there is none.

    An existing repository stays as private or public as it is. Files that are not of this package
    are not written.

    Returns:
        The address of the commit.

    Raises:
        SvfapError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    with _one_line(name):
        hub.create_repo(name, private=not public, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=[*FILES],
            commit_message="Model written by svfap",
        )
    return str(commit.commit_url)


@contextlib.contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Turn errors of the hub and the network into one line."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        answer = (error.server_message or str(error)).strip().splitlines() or [""]
        reason = _REASONS.get(status, f"the hub answered {status} ({answer[0]}); try again later")
        raise SvfapError(f"{name}: {reason}") from None
    except (OSError, HTTPError) as error:
        # Of the network; or the user has switched the hub off (HF_HUB_OFFLINE).
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SvfapError(
            f"{name}: the hub cannot be reached ({reason}); the folder is complete, so connect and"
            " push again"
        ) from None
