"""Download one file of weights from the Hugging Face hub, whole or not at all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from svfap.config.made_by import file_hash
from svfap.errors import SvfapError
from svfap.weights.start import Choice

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def fetch(chosen: Choice) -> Path:
    """Return the local path of a file; download it unless the hub's cache holds it.

    The hub's client resumes a download that was cut, shows progress, and keeps an incomplete file
    apart from whole ones. Its variables work: `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN`,
    `HF_HUB_OFFLINE`.

    Raises:
        SvfapError: the hub does not deliver the file, the disk is full, or the hash is another.
    """
    from huggingface_hub import hf_hub_download

    def download() -> str:
        return hf_hub_download(chosen.repo, chosen.file, revision=chosen.revision)

    path = Path(_explained(chosen, download))
    if chosen.sha256 and (found := file_hash(path)) != chosen.sha256:
        raise SvfapError(
            f"{chosen}: its SHA-256 is {found}, not the recorded {chosen.sha256}; the file is"
            f" damaged or was replaced: delete {path.resolve()} and run again"
        )
    return path


def _explained(chosen: Choice, download: Callable[[], str]) -> str:
    """Download, and explain what went wrong in one line."""
    from huggingface_hub import errors

    try:
        return download()
    except errors.GatedRepoError:
        advice = f"accept its terms on https://huggingface.co/{chosen.repo} and set HF_TOKEN"
    except errors.RepositoryNotFoundError:
        advice = "no such public repository; correct the id, or set HF_TOKEN if it is private"
    except errors.RevisionNotFoundError:
        advice = f"no revision '{chosen.revision}'; copy a commit from the repository's history"
    except errors.LocalEntryNotFoundError:
        advice = (
            "not in the cache, and the hub cannot be reached; run `python -m svfap weights"
            " --fetch` with network, or unset HF_HUB_OFFLINE"
        )
    except errors.EntryNotFoundError:
        advice = f"no file '{chosen.file}' in this revision; name another by :FILE"
    except Exception as error:  # its HTTP library differs between versions of the hub's client
        number = getattr(error, "errno", None)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if number in _FULL:
            advice = f"no room in the hub's cache ({os.strerror(number)}); free some or set HF_HOME"
        else:
            advice = f"the hub did not deliver it ({reason}); the same command resumes"
    raise SvfapError(f"{chosen}: {advice}")
