#!/usr/bin/env python3
"""Microsoft's own Graph SDK, as it comes from PyPI, on a Porchlight server in development mode.

    pip install msgraph-sdk azure-identity deprecated
    export SSL_CERT_FILE=porchlight-data/development/ca.pem REQUESTS_CA_BUNDLE=porchlight-data/development/ca.pem
    python3 graph.py https://localhost:8443

The two variables are for httpx, by which the SDK calls, and requests, by which azure-identity fetches tokens. The last
of the packages is one that msgraph-core 1.5 needs for batches and does not ask for. The examples in the other languages
do the same in the same order. Needs Python 3.10 or newer.
"""

import asyncio
import datetime
import http.server
import json
import queue
import secrets
import sys
import threading
import urllib.parse

from azure.identity import ClientSecretCredential, DeviceCodeCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.communications.get_presences_by_user_id.get_presences_by_user_id_post_request_body import (
    GetPresencesByUserIdPostRequestBody,
)
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.presence_status_message import PresenceStatusMessage
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.users.item.presence.clear_presence.clear_presence_post_request_body import (
    ClearPresencePostRequestBody,
)
from msgraph.generated.users.item.presence.set_presence.set_presence_post_request_body import (
    SetPresencePostRequestBody,
)
from msgraph.generated.users.item.presence.set_status_message.set_status_message_post_request_body import (
    SetStatusMessagePostRequestBody,
)
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

# The demo tenant and the demo application of development mode. Any application id will do, and any secret.
TENANT = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77"
APPLICATION = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21"


def credentials(server):
    """Somebody who signs in, and an application of its own right."""
    # Without the last one, both would ask Microsoft whether this host may issue tokens.
    issuer = {"authority": server, "disable_instance_discovery": True}
    # A real issuer has somebody open the page and type the code; this one approves it at once, for Ada.
    # UsernamePasswordCredential would not do: it leaves the port out of one of its requests.
    person = DeviceCodeCredential(
        APPLICATION, tenant_id=TENANT, **issuer,
        prompt_callback=lambda page, code, _: print(f"sign in at {page} with {code}", file=sys.stderr))
    return person, ClientSecretCredential(TENANT, APPLICATION, "any", **issuer)


def graph(server, credential):
    """The SDK's client, but for this server. It sends tokens to the hosts that it is given, without their ports."""
    host = urllib.parse.urlsplit(server).hostname
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=["api://porchlight/.default"], allowed_hosts=[host])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{server}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Where the server calls when a presence has changed. `webhook.py` has more of what one should do."""

    secret, inbox = secrets.token_urlsafe(16), queue.Queue()

    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        # The server asks whether this address wants to be called.
        answer = query.get("validationToken", [""])[0].encode()
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        for item in json.loads(body or "{}").get("value", []):
            if item["clientState"] == self.secret:
                self.inbox.put(item["resourceData"]["id"])
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def pair(presence):
    return f"{presence.availability}/{presence.activity}"


def session(availability, activity):
    """What an application says of somebody; the session's id is the application's."""
    return SetPresencePostRequestBody(
        session_id=APPLICATION, availability=availability, activity=activity,
        expiration_duration=datetime.timedelta(hours=1))


def message(text):
    content = ItemBody(content=text, content_type=BodyType.Text)
    return SetStatusMessagePostRequestBody(status_message=PresenceStatusMessage(message=content))


async def main(server):
    ada, application = (graph(server, credential) for credential in credentials(server))

    me = await ada.me.get()
    print("signed in as", me.display_name)

    # Read.
    print("before:", pair(await ada.me.presence.get()))

    # Set: the application says that Ada is in a call, and she says herself what about.
    hers = application.users.by_user_id(me.id).presence
    await hers.set_presence.post(session("Busy", "InACall"))
    await ada.me.presence.set_status_message.post(message("Talking about the release"))
    presence = await ada.me.presence.get()
    print("set:", pair(presence), "-", presence.status_message.message.content)

    # Many people in one call.
    engineering = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        filter="department eq 'Engineering'", select=["id", "displayName"])
    users = (await application.users.get(RequestConfiguration(query_parameters=engineering))).value
    ids = GetPresencesByUserIdPostRequestBody(ids=[user.id for user in users])
    presences = await application.communications.get_presences_by_user_id.post(ids)
    for user, presence in zip(users, presences.value):
        print("engineering:", user.display_name, pair(presence))

    # Three calls in one request.
    steps = [
        BatchRequestItem(ada.me.to_get_request_information()),
        BatchRequestItem(ada.me.presence.set_status_message.to_post_request_information(message("Almost done"))),
        BatchRequestItem(ada.users.by_user_id("ben@porchlight.example").presence.to_get_request_information()),
    ]
    answers = await ada.batch.post(BatchRequestContent({step.id: step for step in steps}))
    statuses = answers.get_response_status_codes()
    # Their bodies are lost by the SDK, from whatever server they come: kiota-python, issue 737.
    print("batch:", *(statuses[step.id] for step in steps))

    # Be called when Ada's presence changes; then it does.
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    subscription = await ada.subscriptions.post(Subscription(
        change_type="updated", resource=f"communications/presences/{me.id}",
        notification_url=f"http://127.0.0.1:{receiver.server_port}/", client_state=Receiver.secret,
        expiration_date_time=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=50)))
    print("subscribed to", subscription.resource)
    await hers.set_presence.post(session("DoNotDisturb", "Presenting"))
    changed = await asyncio.to_thread(Receiver.inbox.get, timeout=30)
    print("told:", pair(await ada.users.by_user_id(changed).presence.get()))

    # Leave nothing behind.
    await ada.subscriptions.by_subscription_id(subscription.id).delete()
    await hers.clear_presence.post(ClearPresencePostRequestBody(session_id=APPLICATION))
    await ada.me.presence.set_status_message.post(message(""))
    presence = await ada.me.presence.get()
    print("after:", pair(presence), "-", "a message" if presence.status_message else "no message")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "https://localhost:8443"))
