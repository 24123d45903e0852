"""Signs in with Microsoft's own library for Python, MSAL, in every way that a person can.

    SSL_CERT_FILE=ca.pem REQUESTS_CA_BUNDLE=ca.pem python3 sign-in.py server tenant application person

server is the https URL of a server in development mode, person a user principal name. The library is PyPI's msal 1.39.0.
Standard output: for each way its name, and who GET /v1.0/me is with its token. Exit status 0: every way has worked.
"""

import html
import json
import re
import sys
import urllib.parse
import urllib.request

import msal

server, tenant, application, person = sys.argv[1:]
scopes = ["api://porchlight/Presence.Read", "api://porchlight/User.Read"]
# Nobody listens there: the form that the browser would send to it is read and not sent.
redirect_uri = "http://localhost:9/signed-in"


def browse(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def pick(url):
    """Where the page at this address leads to pick the person."""
    links = re.findall(r'<a href="([^"]*)">(.*?)</a>', browse(url), re.DOTALL)
    [link] = [link for link, text in links if person in text]
    return urllib.parse.urljoin(url, html.unescape(link))


def form(page):
    """What is in the form of a page."""
    fields = re.findall(r'<input [^>]*name="([^"]*)"[^>]*value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields}


def tell(way, answer):
    if "access_token" not in answer:
        sys.exit(f"{way}: {answer}")
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    with urllib.request.urlopen(urllib.request.Request(f"{server}/v1.0/me", headers=headers)) as me:
        print(way, json.load(me)["userPrincipalName"])


def new():
    authority = f"{server}/{tenant}"
    return msal.PublicClientApplication(application, authority=authority, instance_discovery=False)


app = new()
tell("device code", app.acquire_token_by_device_flow(app.initiate_device_flow(scopes)))

app = new()
# With PKCE, a state and a nonce, which the library checks.
flow = app.initiate_auth_code_flow(scopes, redirect_uri=redirect_uri, response_mode="form_post")
answer = form(browse(pick(flow["auth_uri"])))
tell("authorization code", app.acquire_token_by_auth_code_flow(flow, answer))

[account] = app.get_accounts(person)
tell("refresh token", app.acquire_token_silent(scopes, account, force_refresh=True))
