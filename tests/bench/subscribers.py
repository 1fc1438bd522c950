#!/usr/bin/env python3
"""Holds many idle subscribers to a daemon's events: ADDRESS TOKEN-FILE COUNT FILE-MADE-WHEN-ALL-ARE-THERE"""
import signal
import socket
import sys
import urllib.parse

address, token_file, count, ready = sys.argv[1:]
url = urllib.parse.urlsplit(address)
with open(token_file, encoding="ascii") as file:
    token = file.read().strip()
request = (
    f"GET /api/events HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
).encode()

held = []
for _ in range(int(count)):
    connection = socket.create_connection((url.hostname, url.port))
    connection.sendall(request)
    head = connection.recv(4096)
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"not subscribed: {head!r}")
    held.append(connection)
with open(ready, "w", encoding="ascii"):
    pass
signal.pause()
