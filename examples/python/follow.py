#!/usr/bin/env python3
"""Follows everybody's presence as it changes, over one connection that is taken up again when it breaks.

    PORCHLIGHT_TOKEN=dev:ada: python3 follow.py http://127.0.0.1:8080

Needs nothing but Python 3.9 or newer.
"""

import http.client
import json
import os
import sys
import time
import urllib.parse


def events(stream):
    """The events of a stream, as (type, id, data)."""
    kind, identity, data = "", None, []
    for line in stream:
        line = line.decode().rstrip("\n")
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("id: "):
            identity = line[4:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif line == "":
            yield kind, identity, json.loads("\n".join(data)) if data else None
            kind, identity, data = "", None, []


def follow(server, token):
    url = urllib.parse.urlsplit(server)
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    known, last_id = {}, None
    while True:
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        try:
            # The server says something every 15 seconds; twice as long without a word means that it is gone.
            connection = connect(url.netloc, timeout=30)
            connection.request("GET", "/v1.0/communications/presences", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                sys.exit(f"{answer.status}: {answer.read().decode()}")
            for kind, identity, data in events(answer):
                if kind == "snapshot":
                    known.clear()
                elif kind == "presence":
                    known[data["id"]] = data
                    print(data["id"], f"{data['availability']}/{data['activity']}", flush=True)
                elif kind == "removed":
                    known.pop(data["id"], None)
                    print(data["id"], "removed", flush=True)
                elif kind == "current":
                    print(f"up to date: {len(known)} people", flush=True)
                last_id = identity or last_id
        except OSError as error:
            print(f"{error}; trying again", file=sys.stderr)
        time.sleep(1)


if __name__ == "__main__":
    try:
        follow(sys.argv[1], os.environ["PORCHLIGHT_TOKEN"])
    except KeyboardInterrupt:
        pass
