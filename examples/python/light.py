#!/usr/bin/env python3
"""A status light for one person: one request at a time, each answered when there is something new.

    PORCHLIGHT_TOKEN=dev:ada: python3 light.py http://127.0.0.1:8080/v1.0/me/presence

Needs nothing but Python 3.9 or newer; on a microcontroller the same few lines do.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

COLOURS = {"Available": "green", "Busy": "red", "DoNotDisturb": "red", "Away": "yellow", "BeRightBack": "yellow"}


def main(url):
    headers = {"Authorization": f"Bearer {os.environ['PORCHLIGHT_TOKEN']}", "Prefer": "wait=30"}
    # Without a tag the first answer would be held back, too.
    headers["If-None-Match"] = '""'
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
                presence = json.load(answer)
                headers["If-None-Match"] = answer.headers["ETag"]
            print(COLOURS.get(presence["availability"], "off"), flush=True)
        except urllib.error.HTTPError as error:
            # 304: nothing new in half a minute.
            if error.code != 304:
                sys.exit(f"{error.code}: {error.read().decode()}")
        except OSError as error:
            print(f"{error}; trying again", file=sys.stderr)
            time.sleep(5)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        pass
