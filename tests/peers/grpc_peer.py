"""PyPI `grpcio`, both ends: `serve NAME` tells its port and answers until its input ends; `call ADDRESS [NAME=VALUE ...]` makes one
call of each kind with that metadata and tells what came of them as JSON. Messages are bytes: no protobuf."""

import json
import sys
from concurrent import futures
from queue import Queue

import grpc

LARGE = 3 << 20


def serve(name):
    def told(context):
        context.send_initial_metadata((("served-by", name),))
        context.set_trailing_metadata((("trailed-by", name), ("x-flag-v", "forged")))

    def unary(request, context):
        told(context)
        return request[::-1]

    def fail(request, context):
        told(context)
        context.abort(grpc.StatusCode[request.decode()], "as asked")

    def pick(request, context):
        if name == "canary":
            context.abort(grpc.StatusCode.UNAVAILABLE, "not ready")
        return name.encode()

    def collect(requests, context):
        told(context)
        return b"+".join(requests)

    def split(request, context):
        told(context)
        for part in request.split(b"+"):
            yield part

    def talk(requests, context):
        told(context)
        for request in requests:
            yield b"you said " + request

    def break_off(request, context):
        told(context)
        yield request
        context.abort(grpc.StatusCode.DATA_LOSS, "in the middle")

    kinds = {
        "unary": grpc.unary_unary_rpc_method_handler(unary),
        "fail": grpc.unary_unary_rpc_method_handler(fail),
        "pick": grpc.unary_unary_rpc_method_handler(pick),
        "collect": grpc.stream_unary_rpc_method_handler(collect),
        "split": grpc.unary_stream_rpc_method_handler(split),
        "talk": grpc.stream_stream_rpc_method_handler(talk),
        "break": grpc.unary_stream_rpc_method_handler(break_off),
    }

    class Any(grpc.GenericRpcHandler):
        def service(self, details):
            return kinds.get(details.method.rsplit("/", 1)[1])

    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Any(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()


def call(address, metadata):
    options = (("grpc.max_receive_message_length", 2 * LARGE),)
    channel = grpc.insecure_channel(address, options=options)
    rest = {"metadata": metadata, "timeout": 20, "wait_for_ready": True}

    def made(stub, send):
        """A status, what came, and who said it in front of and behind it."""
        came = []
        answer = stub(send, **rest)
        try:
            if isinstance(stub, grpc.UnaryStreamMultiCallable):
                for message in answer:
                    came.append(message)
            else:
                came.append(answer.result())
        except grpc.RpcError:
            pass
        front, behind = dict(answer.initial_metadata()), dict(answer.trailing_metadata())
        return {
            "status": answer.code().name,
            "details": answer.details(),
            "came": [message.decode() for message in came],
            "served": front.get("served-by"),
            "trailed": behind.get("trailed-by"),
            "forged": behind.get("x-flag-v"),
        }

    def one(method):
        return channel.unary_unary(f"/shop.Shop/{method}").future

    told = {
        "unary": made(one("unary"), b"olleh"),
        "collect": made(channel.stream_unary("/shop.Shop/collect").future, iter([b"a", b"b", b"c"])),
        "split": made(channel.unary_stream("/shop.Shop/split"), b"a+b+c"),
        "break": made(channel.unary_stream("/shop.Shop/break"), b"a"),
        "missing": made(one("missing"), b""),
        "pick": made(one("pick"), b""),
    }
    for status in ("UNAVAILABLE", "NOT_FOUND", "PERMISSION_DENIED"):
        told[status] = made(one("fail"), status.encode())
    told["large"] = len(channel.unary_unary("/shop.Shop/unary")(b"x" * LARGE, **rest))

    # Each word waits for the answer to the one before: it works in both directions at once, or not at all.
    heard = []
    queue = Queue()
    answers = channel.stream_stream("/shop.Shop/talk")(iter(queue.get, None), **rest)
    for word in (b"one", b"two", b"three"):
        queue.put(word)
        heard.append(next(answers).decode())
    queue.put(None)
    told["talk"] = {"heard": heard, "rest": [message.decode() for message in answers], "status": answers.code().name}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        call(sys.argv[2], tuple(tuple(pair.split("=", 1)) for pair in sys.argv[3:]))
