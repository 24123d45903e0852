"""Holds a SCIM server against scim2-tester, which is none of ours.

    python3 check.py URL TOKEN

Prints how many checks of each name there were, as JSON. What has failed or was left out goes to standard error, a line
each, and then the exit code is 1.
"""

import collections
import json
import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server


def main(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=url, headers=headers) as client:
        results = check_server(SyncSCIMClient(client))
    good = (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE)
    bad = [result for result in results if result.status not in good]
    for result in bad:
        reason = " ".join(str(result.reason).split())
        print(f"{result.status.name} {result.title}: {reason}", file=sys.stderr)
    print(json.dumps(collections.Counter(result.title for result in results)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
