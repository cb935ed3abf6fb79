"""Secrets are removed from text, and nothing else is."""

import logging
import subprocess
import sys

import pytest

from svfap import redact
from svfap.errors import SvfapError
from svfap.redact import redacted, redacted_values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("MLflow at https://ann:pa55@host:5000/x fails", "MLflow at https://host:5000/x fails"),
        ("https://ann:p@ss/w?rd#1@host/", "https://host/"),
        ("(https://t0ken@host/a)", "(https://host/a)"),
        ("postgresql+psycopg2://ann:pa55@host/db", "postgresql+psycopg2://host/db"),
        (
            "https://host/a.mp4?X-Amz-Credential=AK%2F1&X-Amz-Signature=5ec: 403",
            "https://host/a.mp4?X-Amz-Credential=***&X-Amz-Signature=*** 403",
        ),
        ("https://host/a?v=abc&sig=5ec%3D", "https://host/a?v=abc&sig=***"),
        ("https://host/a#access_token=5ec", "https://host/a#access_token=***"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("'Authorization': 'Bearer abc.def-123'", "'Authorization': 'Bearer ***'"),
        ('{"api_key": "5ec ret", "lr": 1}', '{"api_key": "***", "lr": 1}'),
        ("predict --hf-token 5ecret a.mp4", "predict --hf-token *** a.mp4"),
        ("MLFLOW_TRACKING_PASSWORD=5ecret python", "MLFLOW_TRACKING_PASSWORD=*** python"),
        ("hf_abcdefghijklmnopqrst and AKIAABCDEFGHIJKLMNOP", "*** and ***"),
    ],
)
def test_secrets_are_hidden(text, wanted):
    assert redacted(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////results/mlflow.db",
        "http://host:8080/path@2x.png",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "git@host:group/project.git",
        "write its password into data/password.txt",
        '{"bottleneck_tokens":8,"dim":64}',
        "write to https://a.org/x, or ask me@b.org",
        "second pass: 3 videos",
    ],
)
def test_other_text_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "GITHUB_TOKEN"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DB_PASS", "WANDB_API_KEY"),
    ],
)
def test_values_of_variables_are_hidden(name, monkeypatch):
    monkeypatch.setenv(name, "planted")
    assert redacted("a planted value") == "a *** value"


def test_ordinary_variables_are_not(monkeypatch):
    monkeypatch.setenv("PWD", "/home/ann")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "annabel")
    assert redacted("annabel in /home/ann") == "annabel in /home/ann"


def test_a_password_is_hidden_as_it_is_sent(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:p%40ss-w0rd@host")
    assert redacted("p@ss-w0rd, p%40ss-w0rd") == "***, ***"


def test_values_of_a_record():
    event = {"tags": {"command": "--token 5ecret"}, "params": {"x.token": "5ecret", "n": "1"}}
    hidden = {"tags": {"command": "--token ***"}, "params": {"x.token": "***", "n": "1"}}
    assert redacted_values(event | {"steps": [1, "hf_abcdefghijklmnopqrst"]}) == hidden | {
        "steps": [1, "***"]
    }


def test_errors_and_logs_show_no_secrets():
    assert str(SvfapError("https://ann:pa55@host: fails")) == "https://host: fails"
    record = logging.LogRecord("x", 30, "", 1, "%s", ("https://ann:pa55@host",), None)
    assert redact.RedactingFormatter("%(message)s").format(record) == "https://host"


def test_tracebacks_show_no_secrets():
    code = (
        "from svfap import redact; redact.install(20, '%(message)s');"
        " raise ValueError('https://ann:pa55@host')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: https://host"
    assert "pa55" not in done.stderr.partition("raise")[2]
