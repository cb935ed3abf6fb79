"""Settings of a storage that cannot work are told before the first job."""

from pathlib import Path

import pytest

from svfap.errors import SvfapError
from svfap.experiment.storage import check


@pytest.mark.parametrize("prefix", ["s3://toys/a b", "s3://toys/a;b", "/mnt/$x", "s3://toys/a'b"])
def test_an_address_that_jobs_would_take_for_several_words(prefix):
    with pytest.raises(SvfapError, match=r"--default-storage-prefix; .*use letters, digits"):
        check(None, prefix, [])


def test_a_folder_outside_the_storage():
    with pytest.raises(SvfapError, match=r"\.\./results would lie outside it"):
        check(None, "s3://toys/run", [Path("data"), Path("../results")])
