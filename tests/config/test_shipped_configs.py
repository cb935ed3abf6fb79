"""A user's own configurations and lists beside the shipped ones: git and the tests ignore them."""

import subprocess

from helpers.shipped_configs import ROOT, SHIPPED


def git(*arguments):
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_the_list_of_shipped_configurations_is_complete():
    assert [f"config/{path.name}" for path in SHIPPED] == sorted(git("ls-files", "config/*.yaml"))


def test_git_ignores_a_users_own():
    own = ["config/mine.yaml", "mine.yaml", "my_videos.csv"]
    assert git("check-ignore", *own) == own
    assert git("check-ignore", "svfap/planning/rates.csv", "docs/a.csv", "workflow/a.yaml") == []
