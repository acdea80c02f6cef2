"""The same as grpc-client.ts, by gRPC's C core: calls each TARGET/METHOD of its arguments over and over until it is stopped,
and prints each answer as `TARGET/METHOD ANSWER`."""

import sys
import threading
import time

import grpc


def call(method):
    try:
        return method(b"", timeout=10).decode()
    except grpc.RpcError as error:
        return f"status {error.code().value[0]}"


def repeat(text):
    target, _, method = text.partition("/")
    unary = grpc.insecure_channel(f"xds:///{target}").unary_unary(f"/{method}")
    while True:
        # One write: print would let the lines of two threads run together.
        sys.stdout.write(f"{text} {call(unary)}\n")
        sys.stdout.flush()
        time.sleep(0.01)


for one in sys.argv[1:]:
    threading.Thread(target=repeat, args=(one,), daemon=True).start()
threading.Event().wait()
