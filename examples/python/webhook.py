#!/usr/bin/env python3
"""Is called by the server when somebody's presence changes, and asks then what it is: a webhook, basic notifications.

    PORCHLIGHT_TOKEN=dev:ada: python3 webhook.py --base http://127.0.0.1:8080

Outside of development a server calls https:// addresses only: let a proxy take --url, and hand it on to --listen.
With ids of users as arguments it is about these, otherwise about everybody. Ctrl-C ends the subscription.
Needs nothing but Python 3.9 or newer.
"""

import argparse
import datetime
import hmac
import http.server
import json
import os
import queue
import secrets
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SECRET = secrets.token_urlsafe(16)
inbox = queue.Queue(1000)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if "validationToken" in query:
            # The server asks whether this address wants to be called.
            return self.answer(200, query["validationToken"][0])
        try:
            # Anybody can call this address; only the server knows the secret.
            for item in json.loads(body)["value"]:
                if hmac.compare_digest(item["clientState"], SECRET):
                    inbox.put_nowait(item)
            # From here on they are ours to keep. Who must not lose one writes them to disk first.
            self.answer(202)
        except queue.Full:
            # The server comes again, with what is newest then.
            self.answer(503)
        except (LookupError, TypeError, ValueError):
            self.answer(400)

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def main(options):
    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {os.environ['PORCHLIGHT_TOKEN']}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{options.base}/v1.0/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def keep(subscription):
        """Renews it, or makes one if there is none."""
        life = datetime.timedelta(minutes=options.minutes)
        end = {"expirationDateTime": (datetime.datetime.now(datetime.timezone.utc) + life).isoformat()}
        if subscription:
            try:
                return call("PATCH", f"subscriptions/{subscription['id']}", end)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
        users = ",".join(f"'{user}'" for user in options.users)
        resource = "communications/presences" + (f"?$filter=id in ({users})" if users else "")
        asked = {"resource": resource, "changeType": "updated", "clientState": SECRET}
        return call("POST", "subscriptions", {
            **asked, **end, "notificationUrl": url, "lifecycleNotificationUrl": url,
        })

    def tell(user):
        try:
            presence = call("GET", f"users/{user}/presence")
            print(user, f"{presence['availability']}/{presence['activity']}", flush=True)
        except urllib.error.HTTPError as error:
            print(user, error.code, flush=True)

    host, port = options.listen.rsplit(":", 1)
    receiver = http.server.ThreadingHTTPServer((host, int(port)), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    here = f"http://{host}:{receiver.server_port}"
    url = options.url or here
    print(f"listening on {here}", flush=True)

    subscription, renew_at, told = None, 0, {}
    try:
        while True:
            try:
                if time.monotonic() >= renew_at:
                    subscription = keep(subscription)
                    # After three quarters of its life.
                    renew_at = time.monotonic() + options.minutes * 45
                    print(f"subscribed until {subscription['expirationDateTime']}", flush=True)
                item = inbox.get(timeout=max(0, renew_at - time.monotonic()))
                if "lifecycleEvent" in item:
                    print(item["lifecycleEvent"], file=sys.stderr)
                    renew_at = 0
                elif item["id"] not in told:
                    # The same again has the same id. To remember some thousands is enough.
                    told[item["id"]] = True
                    if len(told) > 10_000:
                        del told[next(iter(told))]
                    tell(item["resourceData"]["id"])
            except queue.Empty:
                pass
            except urllib.error.HTTPError as error:
                sys.exit(f"{error.code}: {error.read().decode()}")
            except OSError as error:
                print(f"{error}; trying again", file=sys.stderr)
                time.sleep(1)
    finally:
        if subscription:
            call("DELETE", f"subscriptions/{subscription['id']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="http://127.0.0.1:8080", help="where the server is")
    parser.add_argument("--listen", default="127.0.0.1:0", help="where to be called; port 0 takes a free one")
    parser.add_argument("--url", help="how the server reaches that, if not as http://LISTEN")
    parser.add_argument("--minutes", type=float, default=50, help="how long the subscription lives without renewal")
    parser.add_argument("users", nargs="*", help="ids of users")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(parser.parse_args())
    except KeyboardInterrupt:
        pass
