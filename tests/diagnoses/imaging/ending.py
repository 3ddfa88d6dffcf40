"""A helper that ends over whatever it is asked."""

import socket
import sys

if __name__ == "__main__":
    socket.recv_fds(socket.socket(fileno=sys.stdin.fileno()), 64, 2)
