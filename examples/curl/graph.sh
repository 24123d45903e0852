#!/usr/bin/env bash
# The presence API by hand, on a Porchlight server in development mode.
#
#   ./graph.sh https://localhost:8443 porchlight-data/development/ca.pem
#
# The examples in the other languages do the same in the same order. Needs curl 7.76 or newer, jq, and Python for a
# receiver of webhooks.
set -euo pipefail

server=${1:-https://localhost:8443}
ca=${2:-porchlight-data/development/ca.pem}
# The demo tenant and the demo application of development mode. Any application id will do, and any secret.
tenant=9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77
application=5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21

token() { # grant, more fields of a form
  curl --silent --show-error --fail-with-body --cacert "$ca" "$server/$tenant/oauth2/v2.0/token" \
    --data grant_type="$1" --data client_id="$application" --data client_secret=any \
    --data-urlencode scope=api://porchlight/.default "${@:2}" | jq --raw-output .access_token
}

call() { # token, method, path, body
  local body=()
  [ $# -lt 4 ] || body=(--header "Content-Type: application/json" --data "$4")
  curl --silent --show-error --fail-with-body --cacert "$ca" --request "$2" "$server/v1.0$3" \
    --header "Authorization: Bearer $1" "${body[@]+"${body[@]}"}"
}

pair='"\(.availability)/\(.activity)"'

# What an application says of somebody; the session's id is the application's.
session() { # availability, activity
  jq --null-input --arg id "$application" --arg availability "$1" --arg activity "$2" \
    '{sessionId: $id, availability: $availability, activity: $activity, expirationDuration: "PT1H"}'
}

message() { # text
  jq --null-input --arg text "$1" '{statusMessage: {message: {content: $text, contentType: "text"}}}'
}

# Where the server calls when a presence has changed: prints its port, then the id of whose presence it was, and ends.
receiver() { # secret
  python3 -u -c '
import http.server, json, sys, urllib.parse

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        # The server asks whether this address wants to be called.
        self.wfile.write(query.get("validationToken", [""])[0].encode())
        for item in json.loads(body or "{}").get("value", []):
            if item["clientState"] == sys.argv[1]:
                sys.exit(print(item["resourceData"]["id"]))

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
server.timeout, server.handle_timeout = 30, sys.exit
print(server.server_port)
while True:
    server.handle_request()
' "$1"
}

# Somebody who signs in, and an application of its own right. Development mode takes any password.
ada=$(token password --data username=ada@porchlight.example --data password=any)
app=$(token client_credentials)

me=$(call "$ada" GET /me)
id=$(jq --raw-output .id <<<"$me")
echo "signed in as $(jq --raw-output .displayName <<<"$me")"

# Read.
echo "before: $(call "$ada" GET /me/presence | jq --raw-output "$pair")"

# Set: the application says that Ada is in a call, and she says herself what about.
call "$app" POST "/users/$id/presence/setPresence" "$(session Busy InACall)"
call "$ada" POST /me/presence/setStatusMessage "$(message "Talking about the release")"
echo "set: $(call "$ada" GET /me/presence | jq --raw-output "$pair + \" - \" + .statusMessage.message.content")"

# Many people in one call.
users=$(call "$app" GET "/users?\$filter=department%20eq%20'Engineering'&\$select=id,displayName" | jq .value)
presences=$(call "$app" POST /communications/getPresencesByUserId "$(jq '{ids: map(.id)}' <<<"$users")" | jq .value)
jq --raw-output --argjson presences "$presences" \
  "to_entries[] | \"engineering: \" + .value.displayName + \" \" + (\$presences[.key] | $pair)" <<<"$users"

# Three calls in one request.
steps=$(jq --null-input --argjson message "$(message "Almost done")" '{requests: [
  {id: "1", method: "GET", url: "/me"},
  {id: "2", method: "POST", url: "/me/presence/setStatusMessage", body: $message,
    headers: {"Content-Type": "application/json"}},
  {id: "3", method: "GET", url: "/users/ben@porchlight.example/presence"}]}')
statuses='.responses | sort_by(.id) | map(.status | tostring) | join(" ")'
echo "batch: $(call "$ada" POST "/\$batch" "$steps" | jq --raw-output "$statuses")"

# Be called when Ada's presence changes; then it does.
secret=$RANDOM-$RANDOM-$RANDOM
exec 3< <(receiver "$secret")
read -r port <&3
subscription=$(call "$ada" POST /subscriptions "$(jq --null-input \
  --arg resource "communications/presences/$id" --arg url "http://127.0.0.1:$port/" --arg secret "$secret" \
  '{changeType: "updated", resource: $resource, notificationUrl: $url, clientState: $secret,
    expirationDateTime: (now + 50 * 60 | todate)}')")
echo "subscribed to $(jq --raw-output .resource <<<"$subscription")"
call "$app" POST "/users/$id/presence/setPresence" "$(session DoNotDisturb Presenting)"
read -r changed <&3
echo "told: $(call "$ada" GET "/users/$changed/presence" | jq --raw-output "$pair")"

# Leave nothing behind.
call "$ada" DELETE "/subscriptions/$(jq --raw-output .id <<<"$subscription")"
call "$app" POST "/users/$id/presence/clearPresence" "{\"sessionId\": \"$application\"}"
call "$ada" POST /me/presence/setStatusMessage "$(message "")"
after='if .statusMessage then "a message" else "no message" end'
echo "after: $(call "$ada" GET /me/presence | jq --raw-output "$pair + \" - \" + ($after)")"
