#!/usr/bin/env python3
"""Asks now and then who has changed since the last time, and keeps the link in a file: for a report or a nightly job.

    PORCHLIGHT_TOKEN=dev:ada: python3 delta.py http://127.0.0.1:8080 state.txt

Needs nothing but Python 3.9 or newer.
"""

import json
import os
import pathlib
import sys
import urllib.error
import urllib.request


def get(link, token):
    request = urllib.request.Request(link, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def changes(link, token):
    """Who has changed, and the link to ask with the next time."""
    told = []
    while True:
        try:
            page = get(link, token)
        except urllib.error.HTTPError as error:
            if error.code != 410:
                raise
            # The server cannot go on from there: everything, once more.
            print("beginning anew", flush=True)
            told, link = [], error.headers["Location"]
            continue
        told += page["value"]
        if "@odata.deltaLink" in page:
            return told, page["@odata.deltaLink"]
        link = page["@odata.nextLink"]


def main(server, file):
    token, state = os.environ["PORCHLIGHT_TOKEN"], pathlib.Path(file)
    begin = f"{server}/v1.0/communications/presences/delta"
    told, link = changes(state.read_text() if state.exists() else begin, token)
    for one in told:
        what = "removed" if "@removed" in one else f"{one['availability']}/{one['activity']}"
        print(one["id"], what)
    print(f"{len(told)} told")
    # Last: who is interrupted before is told the same again.
    state.write_text(link)


if __name__ == "__main__":
    main(*sys.argv[1:])
