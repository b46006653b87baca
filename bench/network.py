"""A network of its own for everything that is measured: a loopback that nobody else uses, with a TCP that does not pace."""

import ctypes
import errno
import fcntl
import os
import pathlib
import socket
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # unshare(2)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)
CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def congestion_control():
    return CONGESTION_CONTROL.read_text().strip()


def leave_the_hosts():
    """From here on this process and its children are in it. Returns the error where the system does not let us.

    Pacing (BBR) holds large messages back according to what it believes of the path, and cuts them into the smaller segments
    the slower it believes the path to be: over a loopback that is a game of chance of its own for each connection, and one
    echo server had up to 1.8 times the figure of the very same program beside it. Reno is in every kernel and does not pace."""
    child = os.fork()  # which may fail half-way
    if child == 0:
        try:
            enter_a_new_one()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or errno.EPERM)
    if failed := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        return OSError(failed, os.strerror(failed))
    enter_a_new_one()
    return None


def enter_a_new_one():
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNET) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):  # user_namespaces(7)
            pathlib.Path("/proc/self", name).write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags, = struct.unpack_from("16xh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0)))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))
    CONGESTION_CONTROL.write_text("reno")
