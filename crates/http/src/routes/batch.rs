//! `$batch`: up to 20 calls in one, run in the process. Source: presence-api 17 and client-quirks.

use std::collections::HashMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use porchlight_notify::Held;
use serde_json::{Map, Value, json};

use crate::api::Step;
use crate::error::Error;
use crate::reply::Reply;
use crate::wire::json::{Json, Object};

/// The steps of a batch, read and checked.
pub(crate) struct Batch {
    steps: Vec<Planned>,
}

struct Planned {
    id: String,
    /// `Err`: this step alone is wrong.
    step: Result<Step, Error>,
    /// Indices of the steps that must have succeeded.
    depends_on: Vec<usize>,
}

impl Batch {
    /// Reads a batch.
    ///
    /// # Errors
    ///
    /// What makes the whole batch wrong; a step that is wrong by itself is answered by itself.
    pub(crate) fn read(body: &[u8], steps_max: usize) -> Result<Batch, Error> {
        const INVALID: Error = Error::BadBatch(std::borrow::Cow::Borrowed("Invalid batch payload format."));
        let body = Json::parse(body)?.into_object()?;
        let Some(Json::Array(requests)) = body.value("requests") else { return Err(INVALID) };
        if requests.len() > steps_max {
            return Err(Error::TooManySteps(steps_max));
        }
        let mut steps = Vec::new();
        let mut ids: HashMap<String, usize> = HashMap::new();
        for (at, request) in requests.iter().enumerate() {
            let Json::Object(request) = request else { return Err(INVALID) };
            let id = request.string("id").ok().flatten().filter(|id| !id.is_empty()).ok_or(INVALID)?;
            if ids.insert(id.to_lowercase(), at).is_some() {
                return Err(Error::BadBatch(
                    format!("The batch has the request id '{id}' more than once.").into(),
                ));
            }
            steps.push(Planned { id: id.to_owned(), step: step(request), depends_on: Vec::new() });
        }
        for (at, request) in requests.iter().enumerate() {
            let Json::Object(request) = request else { continue };
            steps[at].depends_on = depends_on(request, &ids)?;
        }
        let batch = Batch { steps };
        if batch.has_cycle() {
            Err(Error::BadBatch("The dependsOn of the batch form a cycle.".into()))
        } else {
            Ok(batch)
        }
    }

    /// Runs the steps, independent ones together, and gives the answers in the order of the requests, and what is to
    /// be kept until they have been sent.
    pub(crate) async fn run<F: Future<Output = Reply>>(
        self,
        answer: impl Fn(Result<Step, Error>) -> F,
    ) -> (Value, Vec<Held>) {
        let total = self.steps.len();
        let mut answers: Vec<Option<(StatusCode, Value)>> = vec![None; total];
        let (mut ids, mut until_sent) = (Vec::new(), Vec::new());
        let mut waiting: Vec<(usize, Result<Step, Error>, Vec<usize>)> = Vec::new();
        for (at, planned) in self.steps.into_iter().enumerate() {
            ids.push(planned.id);
            waiting.push((at, planned.step, planned.depends_on));
        }
        while !waiting.is_empty() {
            let done = |depends_on: &[usize]| depends_on.iter().all(|other| answers[*other].is_some());
            let (ready, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(_, _, depends_on)| done(depends_on));
            waiting = later;
            let failed = |other: &usize| {
                answers[*other].as_ref().is_some_and(|(status, _)| *status >= StatusCode::BAD_REQUEST)
            };
            let ids = &ids;
            let running = ready.into_iter().map(|(at, step, depends_on)| {
                let is_head = step.as_ref().is_ok_and(|step| step.method == Method::HEAD);
                let step = if depends_on.iter().any(failed) { Err(Error::FailedDependency) } else { step };
                answer(step).map(move |reply| (at, response(&ids[at], &reply, is_head), reply))
            });
            for (at, answered, reply) in join_all(running).await {
                answers[at] = Some((reply.status, answered));
                until_sent.extend(reply.until_sent);
            }
        }
        let answers = answers.into_iter().flatten().map(|(_, answer)| answer);
        (json!({ "responses": answers.collect::<Vec<_>>() }), until_sent)
    }

    /// Whether some step waits for itself: then no order of running them all exists.
    fn has_cycle(&self) -> bool {
        let mut done = vec![false; self.steps.len()];
        loop {
            let ready = |(at, step): &(usize, &Planned)| {
                !done[*at] && step.depends_on.iter().all(|other| done[*other])
            };
            let Some((at, _)) = self.steps.iter().enumerate().find(ready) else {
                return done.contains(&false);
            };
            done[at] = true;
        }
    }
}

fn depends_on(request: &Object<'_>, ids: &HashMap<String, usize>) -> Result<Vec<usize>, Error> {
    let invalid = || Error::BadBatch("A dependsOn must be an array of request ids.".into());
    let named = request.array("dependsOn").map_err(|_| invalid())?.unwrap_or_default();
    let index = |id: &Json<'_>| {
        let Json::String(id) = id else { return Err(invalid()) };
        let unknown = || Error::BadBatch(format!("A dependsOn names the unknown request id '{id}'.").into());
        ids.get(&id.to_lowercase()).copied().ok_or_else(unknown)
    };
    named.iter().map(index).collect()
}

/// One request of the batch. Its own `Authorization` is ignored: the batch's counts.
fn step(request: &Object<'_>) -> Result<Step, Error> {
    let bad = |what: &'static str| Error::BadBatch(what.into());
    let method = request.string("method")?.ok_or_else(|| bad("A request of the batch has no method."))?;
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| bad("A request of the batch has an invalid method."))?;
    let url = request.string("url")?.ok_or_else(|| bad("A request of the batch has no url."))?.to_owned();
    let mut headers = HeaderMap::new();
    if let Some(given) = request.object("headers")? {
        for (name, value) in given.members() {
            let Json::String(value) = value else { continue };
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
    }
    headers.remove(AUTHORIZATION);
    headers.remove(http::header::CONTENT_ENCODING);
    Ok(Step { method, url, body: body(request)?, headers })
}

/// An object as it is; a string is base64 of JSON, in either alphabet, padded or not.
fn body(request: &Object<'_>) -> Result<Bytes, Error> {
    match request.value("body") {
        None => Ok(Bytes::new()),
        Some(Json::String(text)) => decode_base64(text).ok_or(Error::UnreadablePayload),
        Some(json) => Ok(json.to_value().to_string().into()),
    }
}

fn decode_base64(text: &str) -> Option<Bytes> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok().map(Bytes::from)
}

/// The answer to a step; to HEAD it has no body.
fn response(id: &str, reply: &Reply, is_head: bool) -> Value {
    let mut headers = Map::new();
    headers.insert("Cache-Control".to_owned(), "no-cache".into());
    for (name, value) in &reply.headers {
        if name != CACHE_CONTROL {
            headers.insert(display_name(name), value.to_str().unwrap_or_default().into());
        }
    }
    let mut response = Map::new();
    response.insert("id".to_owned(), id.into());
    response.insert("status".to_owned(), reply.status.as_u16().into());
    let is_json =
        reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json {
        headers.insert("OData-Version".to_owned(), "4.0".into());
    }
    response.insert("headers".to_owned(), Value::Object(headers));
    if !is_head && !reply.body.is_empty() {
        let json = is_json.then(|| serde_json::from_slice(&reply.body).ok()).flatten();
        let text = || Value::from(String::from_utf8_lossy(&reply.body));
        response.insert("body".to_owned(), json.unwrap_or_else(text));
    }
    Value::Object(response)
}

/// Header names as Graph writes them: capitals at the beginning of each word.
fn display_name(name: &HeaderName) -> String {
    if name.as_str().starts_with("porchlight-") || name.as_str().ends_with("-id") {
        return name.as_str().to_owned();
    }
    if name == ETAG {
        return "ETag".to_owned();
    }
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.as_str().split('-').map(capital).collect::<Vec<_>>().join("-")
}
