"""An S3 server on this machine, which can be stopped and started and keeps what it stores."""

import logging
from typing import Any
from urllib.request import Request, urlopen

KEYS = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "a", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "b"}


class S3Server:
    """moto's server; it has a `client` of boto3 and runs inside a `with` block."""

    def __init__(self) -> None:
        self._port = 0
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request

    def __enter__(self) -> "S3Server":
        """Start empty: moto keeps what earlier servers of this process stored."""
        self.start()
        urlopen(Request(f"{self.address}/moto-api/reset", method="POST")).close()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, at the address that it had before."""
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Stop; connections are refused."""
        self._server.stop()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def client(self) -> Any:
        import boto3

        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        return boto3.resource("s3", endpoint_url=self.address, **keys)
