"""A whole mini-milvus as a child process of the tests: nothing to install but npm's package, any free port, nothing left behind."""

import json
import os
import pathlib
import signal
import subprocess

import pytest


@pytest.fixture(scope="session")
def milvus():
    command = [*program(), "--in-memory", "--port", "0", "--metrics-port", "0", "--log-format", "json"]
    node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://{ready(node)['address']}"
    finally:
        node.send_signal(signal.SIGTERM)
        assert node.wait(timeout=30) == 0


def program():
    """The program that `npm i -D mini-milvus` put here or above. Not npx: it would stand between the signal and the server."""
    if "MINI_MILVUS" in os.environ:
        return os.environ["MINI_MILVUS"].split()
    folders = pathlib.Path(__file__).resolve().parents
    return [str(next(found for folder in folders if (found := folder / "node_modules/.bin/mini-milvus").exists()))]


def ready(node):
    """Its first line on stdout that says so; the log goes to stderr."""
    for line in node.stdout:
        if line.startswith("{") and json.loads(line).get("event") == "ready":
            return json.loads(line)
    raise RuntimeError(f"mini-milvus ended with {node.wait()}")
