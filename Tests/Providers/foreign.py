"""Starts AI servers of other projects. They reach nothing outside: each name is looked up at a closed port."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

from cluster import TIED, ClusterFailure, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.dirname(sys.executable)
KEY = "sk-lemma-test-5f1c0e7d9a3b"
MOCK_ANSWER = "½ + ½ makes 1 😀, so \\(x = 1\\)."

# The names of its models and what each answers; an error's name is a way to make LiteLLM raise it.
LITELLM_MODELS = {
    "answer": MOCK_ANSWER,
    "busy": "litellm.RateLimitError",
    "broken": "litellm.InternalServerError",
}


def _environment(folder):
    closed = "http://127.0.0.1:9"
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": folder,
        "HTTP_PROXY": closed,
        "HTTPS_PROXY": closed,
        "NO_PROXY": "127.0.0.1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }


@contextlib.contextmanager
def _server(command, folder, url, limit=120):
    """Runs `command` until the block ends, which begins when `url` answers."""
    path = f"{folder}/log"
    with open(path, "wb") as log:
        process = subprocess.Popen(
            [*TIED, *command], env=_environment(folder), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + limit
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                with open(path, encoding="utf-8", errors="replace") as log:
                    raise ClusterFailure(f"{command[1]} does not start: {log.read()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def litellm(llama_port):
    """LiteLLM's proxy with `mock_response`, and with llama.cpp's model behind it; yields its port."""
    models = [
        {"model_name": name, "litellm_params": {"model": "openai/mock", "api_key": "none", "mock_response": text}}
        for name, text in LITELLM_MODELS.items()
    ]
    behind = {"model": "openai/tiny", "api_base": f"http://127.0.0.1:{llama_port}/v1", "api_key": KEY}
    models.append({"model_name": "tiny", "litellm_params": behind})
    settings = {
        "model_list": models,
        "general_settings": {"master_key": KEY},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    with tempfile.TemporaryDirectory(prefix="lemma-litellm-") as folder:
        # JSON is YAML.
        with open(f"{folder}/config.yaml", "w", encoding="utf-8") as file:
            json.dump(settings, file, ensure_ascii=False)
        port = free_port()
        command = [f"{BIN}/python", f"{BIN}/litellm", "--config", f"{folder}/config.yaml", "--telemetry", "False"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with _server(command, folder, f"http://127.0.0.1:{port}/health/liveliness"):
            yield port


@contextlib.contextmanager
def llama():
    """llama.cpp's server with the tiny model; yields its port."""
    with tempfile.TemporaryDirectory(prefix="lemma-llama-") as folder:
        model = f"{folder}/tiny.gguf"
        subprocess.run([sys.executable, f"{HERE}/tiny_model.py", model], check=True, timeout=60)
        port = free_port()
        command = [sys.executable, f"{HERE}/llama_server.py", model, str(port), KEY]
        with _server(command, folder, f"http://127.0.0.1:{port}/health"):
            yield port
