"""Makes, accepts and closes sockets as fast as it can; each has to be what it was asked for."""
import os
import socket
import stat
import sys
import threading

ROUNDS = int(sys.argv[1])


def check(s):
    assert stat.S_ISSOCK(os.fstat(s.fileno()).st_mode), s
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM


def churn():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(ROUNDS):
            with socket.create_connection(listener.getsockname()) as client:
                check(client)
                server, _ = listener.accept()
                with server:
                    check(server)
                    client.sendall(b"x")
                    assert server.recv(1) == b"x"


failures = []


def run():
    try:
        churn()
    except BaseException as e:
        failures.append(repr(e))


threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failures or "all well")
