"""Requests about network devices through a socket of each family; what IP sockets say themselves aside, all say the same."""
import errno
import fcntl
import socket
import struct

REQUESTS = {"SIOCGIFINDEX": 0x8933, "SIOCGIFADDR": 0x8915, "SIOCGIFFLAGS": 0x8913, "SIOCGIFMTU": 0x8921, "SIOCGIFHWADDR": 0x8927,
            "SIOCGARP": 0x8954, "SIOCADDRT": 0x890B, "SIOCGIFTXQLEN": 0x8942, "of a device": 0x89F0, "of a protocol": 0x89E1}


def ask(sock, request, name):
    try:
        return fcntl.ioctl(sock, request, struct.pack("16s24x", name)).hex()
    except OSError as e:
        return errno.errorcode[e.errno]


unix = socket.socket(socket.AF_UNIX)
other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
inet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for device in (b"lo", b"nosuch"):
    for what, request in REQUESTS.items():
        print(device, what, ask(unix, request, device), ask(other, request, device))
names = socket.if_nameindex()
print("by name", all(socket.if_nametoindex(name) == index for index, name in names))
print("by index", all(socket.if_indextoname(index) == name for index, name in names))
for what in ("SIOCGIFINDEX", "SIOCGIFFLAGS", "SIOCGIFMTU", "SIOCGIFHWADDR"):
    print(what, "is the same", all(ask(unix, REQUESTS[what], name.encode()) == ask(inet, REQUESTS[what], name.encode()) for _, name in names))
