"""Who may use a server, its limits, and how it starts and ends."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from helpers.crashing_video import crashing_environment
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint, write_pretrained
from helpers.served import served

from svfap.serve.addresses import addresses

TOKEN = "a-token-of-tests"


@pytest.fixture
def checkpoint(tmp_path, toy_model):
    return write_checkpoint(tmp_path / "model.pt", toy_model)


def ask(server, method="GET", path="/model", **headers):
    """Send a request with any headers, and return its status."""
    connection = http.client.HTTPConnection(server.root.removeprefix("http://"), timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_pages_of_other_servers_are_refused(checkpoint, tmp_path):
    with served(checkpoint, tmp_path / "t", "--workers", "1") as server:
        port = server.root.rpartition(":")[2]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}"):
            assert ask(server, Host=host) == 200, host
            assert ask(server, Host=host, Origin=f"http://{host}") == 200
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1.evil.example",
            "",
            "8.8.8.8",
        ):
            assert ask(server, Host=host) == 403, host
        own = f"127.0.0.1:{port}"
        answer = server.get("/model", headers={"Host": "evil.example"})
        assert answer.json()["error"].endswith(f"open it as http://{own}")
        for origin in (
            "http://evil.example",
            "null",
            "http://127.0.0.1:1",
            f"http://{own}.evil.example",
        ):
            assert ask(server, "POST", "/predict", Host=own, Origin=origin) == 403, origin


def test_a_server_that_others_reach_makes_a_token(checkpoint, tmp_path):
    with served(checkpoint, tmp_path / "t", "--host", "0.0.0.0", "--workers", "1") as server:
        root, token = server.root, server.url.partition("token=")[2]
        assert "0.0.0.0" not in root
        assert len(token) > 20
        assert server.get("/health").json()["status"] == "ok"
        for path in ("/", "/model", "/openapi.json", "/docs"):
            assert server.get(path).status_code == 401
        for headers in ({"Authorization": "Bearer x"}, {"Authorization": f"Basic {token}"}):
            assert server.get("/model", headers=headers).status_code == 401
        assert requests.post(root + "/predict", data=b"x", timeout=20).status_code == 401
        assert server.get("/model", headers={"Authorization": f"Bearer {token}"}).ok
        assert server.get("/model", params={"token": token}).ok
        assert server.get("/model", params={"token": "é" + token}).status_code == 401
        browser = requests.Session()
        page = browser.get(server.url, timeout=20)
        assert page.ok
        assert "token" not in page.url
        cookie = page.history[0].headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get(root + "/model", timeout=20).ok
        evil = {"Origin": "http://evil.example"}
        assert browser.post(root + "/predict", headers=evil, timeout=20).status_code == 403


def test_a_given_token_is_used_and_not_printed_elsewhere(checkpoint, tmp_path):
    environment = os.environ | {"SVFAP_TOKEN": TOKEN}
    with served(checkpoint, tmp_path / "t", environment=environment) as server:
        assert server.get("/model").status_code == 401
        assert server.get("/model", headers={"Authorization": f"Bearer {TOKEN}"}).ok
        assert TOKEN not in " ".join(server.lines)


def test_a_full_queue_asks_to_come_later(checkpoint, tmp_path):
    face = save(tmp_path / "face.mp4", face_frames(50))
    options = "--workers", "1", "--queue", "2"
    with served(checkpoint, tmp_path / "t", *options) as server, ThreadPoolExecutor(8) as pool:
        every = [*pool.map(lambda _: server.post(video=face, format="zip"), range(8))]
        statuses = [answer.status_code for answer in every]
        assert {*statuses} == {200, 503}
        assert statuses.count(200) >= 3
        refused = every[statuses.index(503)]
        assert int(refused.headers["retry-after"]) > 0
        assert "requests are waiting already" in refused.json()["error"]
        assert server.post(video=face).ok


def test_scoring_has_a_time_limit(checkpoint, tmp_path):
    slow = save(tmp_path / "face.mp4", face_frames(300, step=0.1))
    options = "--workers", "1", "--timeout", "0.3"
    with served(checkpoint, tmp_path / "t", *options) as server:
        answer = server.post(video=slow, format="zip")
        assert answer.status_code == 504
        assert "longer than 0.3 s" in answer.json()["error"]
        server.until_nothing_is_left()
        assert server.get("/health").json()["waiting"] == 0


def test_a_video_that_crashes_the_decoder_ends_one_request(checkpoint, tmp_path):
    face = save(tmp_path / "face.mp4", face_frames(30))
    with served(
        checkpoint,
        tmp_path / "t",
        *("--workers", "1"),
        environment=crashing_environment(tmp_path / "site", name="upload"),
    ) as server:
        answer = server.post(video=face)
        assert answer.status_code == 500
        assert "has ended (signal 11)" in answer.json()["error"]
        assert server.get("/health").ok


def test_results_are_kept_if_asked(checkpoint, tmp_path):
    face = save(tmp_path / "face.mp4", face_frames(30))
    kept = tmp_path / "kept"
    with served(checkpoint, tmp_path / "t", "--keep", str(kept), "--workers", "1") as server:
        for form in ("zip", "json"):
            assert server.post(video=face, format=form).ok
        server.post(body=b"no video")
        server.until_nothing_is_left()
    assert {path.name for path in kept.iterdir()} == {"face", "face (2)"}
    assert {path.suffix for path in (kept / "face").iterdir()} == {
        ".csv", ".json", ".mp4", ".html", ".zip"
    }  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_leaves_nothing(checkpoint, tmp_path, number):
    """Also while it scores a video."""
    slow = save(tmp_path / "face.mp4", face_frames(300, step=0.1))
    with (
        served(checkpoint, tmp_path / "t", "--workers", "1") as server,
        ThreadPoolExecutor(1) as pool,
    ):
        sent = pool.submit(server.post, video=slow, format="zip")
        workers, _ = server.workers(), server.busy()
        assert server.interrupt(number) < 5
        assert sent.exception() or sent.result().status_code >= 500
        assert server.process.returncode == 0
        assert server.process.stdout.read() == "the server has ended\n"
        assert [line for line in server.lines if "loading" not in line] == []
        assert not [*server.temporary.glob("svfap-serve-*")]
        deadline = time.monotonic() + 5
        while any(worker.is_running() for worker in workers):
            assert time.monotonic() < deadline


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_the_same_words_while_it_loads(checkpoint, tmp_path, number):
    command = [sys.executable, "-m", "svfap", "serve", str(checkpoint), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "loading" in process.stderr.readline()
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("the server has ended\n", "")
    assert process.returncode == 0


def test_a_model_without_a_head_is_refused_before_torch_is_imported(tmp_path, toy_model):
    checkpoint = write_pretrained(tmp_path / "p.pt", toy_model)
    code = (
        "import sys\nfrom svfap.use.model_source import check_predicts\n"
        "try: check_predicts(sys.argv[1])\n"
        "except Exception as error: print('torch' in sys.modules, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"False {checkpoint}: it was pre-trained only")


def test_addresses_are_those_that_others_open():
    everywhere = addresses("0.0.0.0", 8000, "secret")
    assert all(each.endswith(":8000/?token=secret") for each in everywhere)
    assert not any("0.0.0.0" in each for each in everywhere)
    assert socket.gethostname() in everywhere[-1]
    assert not any("[::]" in each for each in addresses("::", 1, ""))
    assert addresses("::1", 1, "") == ["http://[::1]:1/"]
    assert addresses("lab.example", 1, "") == ["http://lab.example:1/"]


def start(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "svfap", "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_server_that_cannot_start_says_why(checkpoint, tmp_path, toy_model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = [
            ([checkpoint, "--port", port], f"--port {port}: is in use"),
            ([checkpoint, "--host", "no.such.host.invalid"], "no such host"),
            ([checkpoint, "--host", "8.8.8.8"], "not an address of this machine"),
            ([checkpoint, "--token", "short"], "a token has at least 8"),
            ([tmp_path / "no.pt"], "no such file"),
            ([tmp_path / "no"], "no such file or folder; name a checkpoint"),
            ([write_pretrained(tmp_path / "p.pt", toy_model), "--port", 0], "has no labels"),
            ([checkpoint, "--port", "many"], "many is not a port"),
            ([checkpoint, "--queue", "1.5"], "1.5 is not a whole number above 0"),
        ]
        for arguments, reason in cases:
            done = start(*arguments)
            assert done.returncode == 2, done.stderr
            assert reason in done.stderr
            assert "Traceback" not in done.stderr
            assert len(done.stderr.splitlines()) == 1 or "usage" in done.stderr
