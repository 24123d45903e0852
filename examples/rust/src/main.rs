//! The presence API from Rust, on a Porchlight server in development mode.
//!
//! ```sh
//! cargo run -- https://localhost:8443 ../../porchlight-data/development/ca.pem
//! ```
//!
//! It calls by reqwest, since graph-rs-sdk has Microsoft's addresses built in. The examples in the other languages do the
//! same in the same order.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::Query;
use axum::routing::post;
use jiff::{Timestamp, ToSpan};
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The demo tenant and the demo application of development mode. Any application id will do, and any secret.
const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";
const APPLICATION: &str = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21";

/// Somebody who calls, with a token.
struct Caller {
    client: Client,
    server: String,
    token: String,
}

impl Caller {
    /// Fetches a token by a grant of OAuth: somebody's password, which may be any, or the application's own right.
    async fn sign_in(client: &Client, server: &str, grant: &[(&str, &str)]) -> Result<Caller> {
        let ours =
            [("client_id", APPLICATION), ("client_secret", "any"), ("scope", "api://porchlight/.default")];
        let form = [&ours[..], grant].concat();
        let url = format!("{server}/{TENANT}/oauth2/v2.0/token");
        let answer = answer(client.post(url).form(&form)).await?;
        let token = answer["access_token"].as_str().context("the answer has no token")?.to_owned();
        Ok(Caller { client: client.clone(), server: server.to_owned(), token })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1.0{path}", self.server)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        answer(self.client.get(self.url(path)).bearer_auth(&self.token)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(self.client.post(self.url(path)).bearer_auth(&self.token).json(body)).await
    }

    async fn delete(&self, path: &str) -> Result<Value> {
        answer(self.client.delete(self.url(path)).bearer_auth(&self.token)).await
    }
}

/// Sends a request. Its answer is null when it has no body.
async fn answer(request: RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {body}");
    }
    Ok(if body.is_empty() { Value::Null } else { serde_json::from_str(&body)? })
}

/// Where the server calls when a presence has changed: its address, and the ids of those whose it was.
async fn receiver(secret: &str) -> Result<(String, mpsc::Receiver<String>)> {
    let (tell, told) = mpsc::channel(16);
    let secret = secret.to_owned();
    let receive = move |Query(query): Query<HashMap<String, String>>, body: String| {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        for item in body["value"].as_array().into_iter().flatten() {
            if item["clientState"] == secret.as_str() {
                // Whoever calls is told that all went well also when nobody waits for it any more.
                let _ = tell.try_send(text(&item["resourceData"]["id"]));
            }
        }
        // The server asks whether this address wants to be called.
        let token = query.get("validationToken").cloned().unwrap_or_default();
        async move { token }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(receive))).await });
    Ok((url, told))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pair(presence: &Value) -> String {
    format!("{}/{}", text(&presence["availability"]), text(&presence["activity"]))
}

/// What an application says of somebody; the session's id is the application's.
fn session(availability: &str, activity: &str) -> Value {
    json!({
        "sessionId": APPLICATION, "availability": availability, "activity": activity, "expirationDuration": "PT1H",
    })
}

fn message(content: &str) -> Value {
    json!({"statusMessage": {"message": {"content": content, "contentType": "text"}}})
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "https://localhost:8443".to_owned());
    let ca = arguments.next().unwrap_or_else(|| "../../porchlight-data/development/ca.pem".to_owned());
    let ca = Certificate::from_pem(&std::fs::read(&ca).with_context(|| format!("cannot read {ca}"))?)?;
    let client = Client::builder().tls_certs_only([ca]).build()?;

    // Somebody who signs in, and an application of its own right.
    let person = [("grant_type", "password"), ("username", "ada@porchlight.example"), ("password", "any")];
    let ada = Caller::sign_in(&client, &server, &person).await?;
    let application = Caller::sign_in(&client, &server, &[("grant_type", "client_credentials")]).await?;

    let me = ada.get("/me").await?;
    println!("signed in as {}", text(&me["displayName"]));

    // Read.
    println!("before: {}", pair(&ada.get("/me/presence").await?));

    // Set: the application says that Ada is in a call, and she says herself what about.
    let hers = format!("/users/{}/presence", text(&me["id"]));
    application.post(&format!("{hers}/setPresence"), &session("Busy", "InACall")).await?;
    ada.post("/me/presence/setStatusMessage", &message("Talking about the release")).await?;
    let set = ada.get("/me/presence").await?;
    println!("set: {} - {}", pair(&set), text(&set["statusMessage"]["message"]["content"]));

    // Many people in one call.
    let users = application.get("/users?$filter=department eq 'Engineering'&$select=id,displayName").await?;
    let users = users["value"].as_array().context("a list")?;
    let ids: Vec<&Value> = users.iter().map(|user| &user["id"]).collect();
    let presences = application.post("/communications/getPresencesByUserId", &json!({"ids": ids})).await?;
    let presences = presences["value"].as_array().context("a list")?;
    for (user, presence) in users.iter().zip(presences) {
        println!("engineering: {} {}", text(&user["displayName"]), pair(presence));
    }

    // Three calls in one request.
    let steps = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/me"},
        {"id": "2", "method": "POST", "url": "/me/presence/setStatusMessage", "body": message("Almost done"),
            "headers": {"Content-Type": "application/json"}},
        {"id": "3", "method": "GET", "url": "/users/ben@porchlight.example/presence"},
    ]});
    let answers = ada.post("/$batch", &steps).await?;
    let mut answers = answers["responses"].as_array().context("a list")?.clone();
    answers.sort_by_key(|answer| text(&answer["id"]));
    let statuses: Vec<String> = answers.iter().map(|answer| answer["status"].to_string()).collect();
    println!("batch: {}", statuses.join(" "));

    // Be called when Ada's presence changes; then it does.
    let secret = Uuid::new_v4().to_string();
    let (url, mut told) = receiver(&secret).await?;
    let subscription = json!({
        "changeType": "updated", "resource": format!("communications/presences/{}", text(&me["id"])),
        "notificationUrl": url, "clientState": secret,
        "expirationDateTime": (Timestamp::now() + 50.minutes()).to_string(),
    });
    let subscription = ada.post("/subscriptions", &subscription).await?;
    println!("subscribed to {}", text(&subscription["resource"]));
    application.post(&format!("{hers}/setPresence"), &session("DoNotDisturb", "Presenting")).await?;
    let changed =
        tokio::time::timeout(Duration::from_secs(30), told.recv()).await?.context("nobody calls")?;
    println!("told: {}", pair(&ada.get(&format!("/users/{changed}/presence")).await?));

    // Leave nothing behind.
    ada.delete(&format!("/subscriptions/{}", text(&subscription["id"]))).await?;
    application.post(&format!("{hers}/clearPresence"), &json!({"sessionId": APPLICATION})).await?;
    ada.post("/me/presence/setStatusMessage", &message("")).await?;
    let after = ada.get("/me/presence").await?;
    let left = if after["statusMessage"].is_null() { "no message" } else { "a message" };
    println!("after: {} - {left}", pair(&after));
    Ok(())
}
