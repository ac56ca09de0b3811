"""llama.cpp's own HTTP server, out of its PyPI wheel: `llama_server.py MODEL PORT [KEY]`, until it is ended."""

import sys
import threading

import xllamacpp


def main(model, port, *keys):
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(port)
    parameters.api_keys = list(keys)
    parameters.model_alias = {"tiny"}
    parameters.n_parallel = 4
    parameters.cpuparams.n_threads = 1
    parameters.offline = True
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
