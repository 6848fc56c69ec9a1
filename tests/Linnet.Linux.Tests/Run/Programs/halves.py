# What is left of connections that both sides ended one direction of before they closed.
import socket, time
server = socket.create_server(('127.0.0.1', 0))
# Another for each run: what earlier ones left stays for a minute.
PORT = server.getsockname()[1]
def left():
    lines = open('/proc/net/tcp').read().splitlines()[1:]
    return sorted(l.split()[3] for l in lines if f':{PORT:04X} ' in l and l.split()[3] != '0A')
def pair():
    one = socket.create_connection(server.getsockname())
    return one, server.accept()[0]
def settled(wanted):
    until = time.monotonic() + 5
    while left() != wanted and time.monotonic() < until: time.sleep(0.01)
    return left()

one, other = pair()
one.shutdown(socket.SHUT_WR); print(other.recv(9))
other.shutdown(socket.SHUT_WR); print(one.recv(9))
print('still held:', other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), one.getsockname()[0], other.getsockname()[0])
one.close(); other.close()
print('both ended, then closed:', settled(['06']))

one, other = pair()
one.shutdown(socket.SHUT_WR); print(other.recv(9))
one.close()
print('ended and closed, the peer not:', settled(['05', '06', '08']))
other.close()
print('the peer too:', settled(['06', '06']))
