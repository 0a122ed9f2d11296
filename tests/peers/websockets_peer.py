"""PyPI `websockets`, both ends: `serve NAME` tells its port and echoes until its input ends; `call URL [NAME=VALUE ...]` talks to it with those
fields and tells what came of it as JSON."""

import json
import sys
import threading

from websockets.sync.client import connect
from websockets.sync.server import serve


def run(name):
    def echo(socket):
        socket.send(f"{name} {socket.request.headers.get('x-flag-v')}")
        for message in socket:
            socket.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        print(server.socket.getsockname()[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


def call(url, fields):
    with connect(url, additional_headers=fields, max_size=None) as socket:
        first = socket.recv()
        heard = []
        for word in ("one", "two", "ä" * 100_000, b"\0" * 1_000_000):
            socket.send(word)
            heard.append(socket.recv() == word)
        pong = socket.ping()
        ponged = pong.wait(10)
    print(json.dumps({"first": first, "heard": heard, "ponged": ponged, "closed": socket.close_code}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        run(sys.argv[2])
    else:
        call(sys.argv[2], [tuple(pair.split("=", 1)) for pair in sys.argv[3:]])
