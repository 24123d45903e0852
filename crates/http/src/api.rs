//! The way of a request: limits, path, token, route; then headers, compression, log and metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName,
    HeaderValue, STRICT_TRANSPORT_SECURITY, VARY, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use porchlight_engine::Engine;
use porchlight_notify::{Notifier, RootsError};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::audit::{Entry, Notes, Outcome};
use crate::auth::{Authenticator, Caller, TokenError};
use crate::body::{self, Body};
use crate::bookmark::Bookmarks;
use crate::call::{self, Call};
use crate::connection::Connection;
use crate::error::Error;
use crate::graph;
use crate::headers::{Field, Headers};
use crate::instruments::Instruments;
use crate::issuer::{Asked, Endpoint, Issuer};
use crate::reply::{self, CLIENT_REQUEST_ID, MetadataLevel, Reply, RequestIds, Sent, header_id};
use crate::resource::{self, PathError, Resource, Version};
use crate::route::Route;
use crate::routes::batch::Batch;
use crate::routes::keys::Document;
use crate::routes::{development, documents, operations, stream};
use crate::scim::{self, ScimCall, ScimError};
use crate::settings::{Development, Settings};
use crate::wire::date_time;
use crate::wire::presence::instant;

/// Answers requests.
pub struct Api {
    engine: Engine,
    notifier: Notifier,
    settings: Settings,
    authenticator: Authenticator,
    instruments: Instruments,
    diagnostic: HeaderValue,
    bookmarks: Arc<Bookmarks>,
    /// Issues tokens; in development mode only.
    issuer: Option<Issuer>,
    /// Whether the server stops: who waits for news is answered then.
    stop: watch::Sender<bool>,
}

/// A step of a batch.
pub(crate) struct Step {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is noted of a request on its way, for metrics and log.
struct Noted {
    route: Route,
    /// `None` for what cannot be slow.
    started: Option<Instant>,
}

/// What is known of a request apart from its path.
struct Context<'r> {
    headers: &'r Headers<'r>,
    version: Version,
    /// The URL up to and with the version, as the client sees it.
    base: &'r str,
    /// Host and port as the request names them; only for a batch.
    authority: &'r str,
    ids: &'r RequestIds,
}

/// What has no version of the API in its path.
enum Unversioned<'p> {
    /// Development's issuer.
    Issuer(Endpoint<'p>),
    /// Discovery and keys.
    Document(Document<'p>),
}

impl Unversioned<'_> {
    fn route(&self) -> Route {
        match self {
            Unversioned::Issuer(_) => Route::Issuer,
            Unversioned::Document(_) => Route::Keys,
        }
    }
}

impl Api {
    /// An API over this engine, whose changes `notifier` tells. What it hands out for others to bring back it signs
    /// with `secret`: 16 bytes or more, the same for every server over this log.
    ///
    /// # Errors
    ///
    /// When a file of certificates that the settings name cannot be read.
    pub fn new(
        engine: Engine,
        notifier: Notifier,
        settings: Settings,
        secret: &[u8],
    ) -> Result<Api, RootsError> {
        crate::instruments::install_recorder();
        let diagnostic = serde_json::json!({"ServerInfo": {
            "DataCenter": "Porchlight", "Slice": "E", "Ring": "1", "ScaleUnit": "001", "RoleInstance": settings.instance,
        }});
        // For good: the counter of shared bytes would move from core to core with every answer.
        let diagnostic = HeaderValue::from_static(diagnostic.to_string().leak());
        let issuer = settings.development.as_ref().map(|development| Issuer::new(&engine, development));
        let stop = watch::Sender::new(false);
        let authenticator = Authenticator::new(engine.clone(), &settings)?;
        Ok(Api {
            engine,
            notifier,
            settings,
            authenticator,
            instruments: Instruments::default(),
            diagnostic,
            bookmarks: Arc::new(Bookmarks::new(secret)),
            issuer,
            stop,
        })
    }

    /// Fetches the keys of trusted issuers when that has to be done, for ever.
    pub async fn keep_keys(&self) {
        self.authenticator.keep_keys().await;
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is counted of requests and connections.
    pub(crate) fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Answers whoever waits for news, since no more will be told.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether the server stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Answers one request of a connection.
    pub(crate) async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response<Sent> {
        let (parts, body) = request.into_parts();
        let headers = Headers::of(&parts.headers);
        let ids = RequestIds::new(&headers);
        let mut noted = Noted { route: Route::None, started: None };
        let routed = self.route(&parts, &headers, body, &ids, connection, &mut noted);
        let outcome = AssertUnwindSafe(routed).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request = %ids.request, path = parts.uri.path(), "the request ended in a panic");
            Err(Error::Internal)
        });
        let reply = outcome.unwrap_or_else(|error| {
            let challenge = self.challenge(&error, &parts, &headers, connection);
            let reply = match noted.route {
                Route::Scim => ScimError::from(error).reply(self.settings.profile),
                _ => self.error(&error, &ids),
            };
            if reply.status == StatusCode::UNAUTHORIZED {
                reply.with(WWW_AUTHENTICATE, challenge)
            } else {
                reply
            }
        });
        self.instruments.answered(noted.route, reply.status);
        self.log(&parts, &ids, &reply, noted.started);
        self.finish(reply, &parts.method, &headers, ids, connection)
    }

    async fn route(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        body: Incoming,
        ids: &RequestIds,
        connection: &Connection,
        noted: &mut Noted,
    ) -> Result<Reply, Error> {
        let path = parts.uri.path();
        let scim = scim::below(path);
        if scim.is_some() {
            // Before anything can be wrong: its errors have a form of their own.
            *noted = Noted { route: Route::Scim, started: Some(Instant::now()) };
        }
        self.check_header_size(headers)?;
        body::check_announced_length(headers, &self.settings.limits)?;
        if parts.method == Method::OPTIONS {
            noted.route = Route::Options;
            return Ok(self.preflight(headers));
        }
        // What is seldom asked for is answered in a future of its own: a read would carry its state about for nothing.
        if let Some(below) = scim {
            let body = Body::Stream(body);
            return self.scim(below, parts, headers, body, ids, connection).boxed().await;
        }
        if let Some(operation) = path.strip_prefix("/porchlight/") {
            *noted = Noted { route: Route::Operations, started: Some(Instant::now()) };
            let body = Body::Stream(body);
            return self.operate(parts, operation, headers, body, ids, connection).boxed().await;
        }
        let (version, below) = match resource::split_version(path) {
            Ok(split) => split,
            Err(error) => {
                let place = self.unversioned(path).ok_or_else(|| path_error(error))?;
                *noted = Noted { route: place.route(), started: Some(Instant::now()) };
                let body = Body::Stream(body);
                return self.answer_at(place, parts, headers, body, ids, connection).boxed().await;
            }
        };
        let parsed = Resource::parse(below);
        if let Err(error @ PathError::Malformed(_)) = parsed {
            return Err(path_error(error));
        }
        noted.route = parsed.as_ref().map_or(Route::Unknown, graph::route);
        // A read of one presence waits for nothing, so the clock need not be asked about it.
        if noted.route != Route::Presence || parts.method != Method::GET || self.settings.access_log {
            noted.started = Some(Instant::now());
        }
        let base = self.base(parts, headers, version, connection)?;
        let context = |authority| Context { headers, version, base: &base, authority, ids };
        let query = parts.uri.query().unwrap_or_default();
        if let Ok(resource @ (Resource::Metadata | Resource::ServiceDocument)) = &parsed {
            graph::check_method(&parts.method, resource, self.settings.profile)?;
            if *resource == Resource::Metadata {
                return Ok(documents::metadata());
            }
            call::metadata_level(headers)?;
            return Ok(documents::service_document(&base));
        }
        let caller = match self.authenticator.recall(headers, &connection.last_caller) {
            Some(caller) => caller,
            None => self.authenticator.authenticate(headers, &connection.last_caller).boxed().await?,
        };
        let resource = parsed.map_err(path_error)?;
        if resource == Resource::Batch {
            graph::check_method(&parts.method, &resource, self.settings.profile)?;
            let context = context(authority(parts, headers)?);
            return self.batch(&context, &caller, Body::Stream(body)).boxed().await;
        }
        // Only the steps of a batch name hosts of their own.
        let context = context("");
        let call = self.call(&context, &parts.method, query, headers, &caller);
        // Not in a batch, whose answers are whole.
        if graph::has_stream(&parts.method, &resource) && stream::is_wanted(headers) {
            graph::admit(&call, &resource)?;
            return stream::open(&call, &resource);
        }
        graph::answer(&call, &resource, Body::Stream(body)).await
    }

    fn call<'c>(
        &'c self,
        context: &'c Context<'_>,
        method: &'c Method,
        query: &'c str,
        headers: &'c Headers<'c>,
        caller: &'c Caller,
    ) -> Call<'c> {
        Call {
            engine: &self.engine,
            notifier: &self.notifier,
            settings: &self.settings,
            instruments: &self.instruments,
            bookmarks: &self.bookmarks,
            method,
            query,
            headers,
            caller,
            version: context.version,
            base: context.base,
            request: context.ids.request,
            client_request: &context.ids.client,
            notes: Notes::default(),
            stop: &self.stop,
        }
    }

    /// POST `/$batch` (P20)
    async fn batch(&self, context: &Context<'_>, caller: &Caller, body: Body) -> Result<Reply, Error> {
        call::metadata_level(context.headers)?;
        let bytes = body.read_json(context.headers, &self.settings.limits).await?;
        let batch = Batch::read(&bytes, self.settings.limits.batch_steps_max)?;
        let (answers, until_sent) = batch.run(|step| self.step(context, caller, step)).await;
        Ok(Reply { until_sent, ..Reply::odata(answers.to_string(), MetadataLevel::Minimal) })
    }

    /// One step of a batch, with a request id of its own and the client's of the batch.
    async fn step(&self, context: &Context<'_>, caller: &Caller, step: Result<Step, Error>) -> Reply {
        let ids = RequestIds { request: uuid::Uuid::new_v4(), client: context.ids.client.clone() };
        let outcome = match step {
            Err(error) => Err(error),
            Ok(step) => {
                let context = Context { ids: &ids, ..*context };
                self.run_step(&context, caller, step).await
            }
        };
        outcome.unwrap_or_else(|error| self.error(&error, &ids))
    }

    async fn run_step(&self, context: &Context<'_>, caller: &Caller, step: Step) -> Result<Reply, Error> {
        let (path, query) = below_version(&step.url, context)?;
        let resource = Resource::parse(path).map_err(path_error)?;
        // The steps of a batch are answered together, so none of them waits.
        let headers = Headers { prefer: Field::default(), ..Headers::of(&step.headers) };
        body::check_announced_length(&headers, &self.settings.limits)?;
        let call = self.call(context, &step.method, query, &headers, caller);
        graph::answer(&call, &resource, Body::Whole(step.body.clone())).await
    }

    /// What is under `/porchlight/scim/v2`.
    async fn scim(
        &self,
        below: &str,
        parts: &Parts,
        headers: &Headers<'_>,
        body: Body,
        ids: &RequestIds,
        connection: &Connection,
    ) -> Result<Reply, Error> {
        let caller = self.authenticator.authenticate(headers, &connection.last_caller).await?;
        let call = ScimCall {
            engine: &self.engine,
            settings: &self.settings,
            method: &parts.method,
            query: parts.uri.query().unwrap_or_default(),
            headers,
            caller: &caller,
            origin: &self.origin(headers, authority(parts, headers)?, connection),
            ids,
            notes: Notes::default(),
        };
        let answer = scim::answer(&call, below, body).await;
        Ok(answer.unwrap_or_else(|error| error.reply(self.settings.profile)))
    }

    /// What is at a path without a version of the API.
    fn unversioned<'p>(&self, path: &'p str) -> Option<Unversioned<'p>> {
        let endpoint = Endpoint::at(path).filter(|found| self.issuer.is_some() || !found.is_shared());
        let document = || Document::at(path).map(Unversioned::Document);
        endpoint.map(Unversioned::Issuer).or_else(document)
    }

    async fn answer_at(
        &self,
        place: Unversioned<'_>,
        parts: &Parts,
        headers: &Headers<'_>,
        body: Body,
        ids: &RequestIds,
        connection: &Connection,
    ) -> Result<Reply, Error> {
        let origin = self.origin(headers, authority(parts, headers)?, connection);
        match place {
            Unversioned::Issuer(endpoint) => {
                let issuer = self.issuer.as_ref().ok_or(Error::NotFound)?;
                let query = parts.uri.query().unwrap_or_default();
                let limits = &self.settings.limits;
                let asked = Asked { method: &parts.method, query, headers, limits, ids, origin: &origin };
                issuer.answer(endpoint, &asked, body).await
            }
            Unversioned::Document(document) => {
                graph::check_among(&parts.method, &["GET", "HEAD"])?;
                let issuer = self.settings.development.as_ref().map(|development| &development.issuer);
                document.answer(&self.engine, &self.notifier, issuer, &origin).await
            }
        }
    }

    /// What else is under `/porchlight/`.
    async fn operate(
        &self,
        parts: &Parts,
        operation: &str,
        headers: &Headers<'_>,
        body: Body,
        ids: &RequestIds,
        connection: &Connection,
    ) -> Result<Reply, Error> {
        let method = &parts.method;
        let read = || graph::check_among(method, &["GET", "HEAD"]);
        match operation {
            "health" => read().map(|()| operations::health(&self.engine)),
            "limits" => {
                let notify = self.notifier.settings();
                read().map(|()| operations::limits(&self.engine, notify, &self.settings))
            }
            "metrics" => {
                read()?;
                Ok(operations::metrics(&self.engine, &self.notifier, &self.instruments).await)
            }
            _ => {
                // Levers need no token, so they are for this machine alone.
                let development = self
                    .settings
                    .development
                    .as_ref()
                    .filter(|_| connection.peer.to_canonical().is_loopback());
                let (Some(development), Some(lever)) = (development, operation.strip_prefix("dev/")) else {
                    return Err(Error::NotFound);
                };
                development::check_origin(headers, authority(parts, headers)?)?;
                let answer = self.pull(lever, method, headers, body, development).await;
                if *method == Method::POST && ["clock", "reset", "faults"].contains(&lever) {
                    self.audit_lever(lever, ids, &answer);
                }
                answer
            }
        }
    }

    /// What is under `/porchlight/dev/`.
    async fn pull(
        &self,
        lever: &str,
        method: &Method,
        headers: &Headers<'_>,
        body: Body,
        development: &Development,
    ) -> Result<Reply, Error> {
        let limits = &self.settings.limits;
        match (lever, method) {
            ("clock", &Method::GET | &Method::HEAD) => Ok(development::clock(&self.engine)),
            ("clock", &Method::POST) => development::advance_clock(&self.engine, headers, body, limits).await,
            ("clock", _) => Err(Error::MethodNotAllowed(&["GET", "HEAD", "POST"])),
            ("reset", &Method::POST) => development::reset(&self.engine, development).await,
            ("ca", &Method::GET | &Method::HEAD) => development::certificate_authority(development),
            ("deliveries", &Method::GET | &Method::HEAD) => Ok(development::deliveries(&self.notifier)),
            ("ca" | "deliveries", _) => Err(Error::MethodNotAllowed(&["GET", "HEAD"])),
            ("faults", &Method::POST) => {
                development::make_faults(&self.notifier, headers, body, limits).await
            }
            ("reset" | "faults", _) => Err(Error::MethodNotAllowed(&["POST"])),
            _ => Err(Error::NotFound),
        }
    }

    fn audit_lever(&self, lever: &str, ids: &RequestIds, answer: &Result<Reply, Error>) {
        let entry = Entry {
            action: lever,
            request: ids.request,
            client_request: &ids.client,
            caller: None,
            now: self.engine.clock().now(),
            notes: &Notes::default(),
        };
        entry.write(&Outcome::of(answer, self.settings.profile));
    }

    /// The URL up to and with the version, as the client sees it.
    fn base(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        version: Version,
        connection: &Connection,
    ) -> Result<Arc<str>, Error> {
        let last = &connection.last_base;
        // What a proxy says may be another thing with every request.
        let is_plain = parts.uri.authority().is_none() && !self.settings.trust_forwarded;
        let host = headers.host.only().filter(|_| is_plain);
        if let Some(base) = host.and_then(|host| last.of(host, version)) {
            return Ok(base);
        }
        let origin = self.origin(headers, authority(parts, headers)?, connection);
        let base = [origin.as_str(), "/", version.name()].concat().into();
        if let Some(host) = host {
            last.note(host, version, &base);
        }
        Ok(base)
    }

    /// The URL up to the version, as the client sees it.
    fn origin(&self, headers: &Headers<'_>, authority: &str, connection: &Connection) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.clone();
        }
        let scheme = if connection.secure { "https" } else { "http" };
        if !self.settings.trust_forwarded {
            return [scheme, "://", authority].concat();
        }
        let header = |name: &str| headers.all.get(name).and_then(|value| value.to_str().ok());
        // RFC 7239: the first element is the client's own proxy's.
        let element = header("forwarded").and_then(|value| value.split(',').next()).unwrap_or_default();
        let pairs = || element.split(';').filter_map(|pair| pair.trim().split_once('='));
        let named = |name: &str| {
            let value = pairs().find(|(known, _)| known.eq_ignore_ascii_case(name));
            value.map(|(_, value)| value.trim_matches('"'))
        };
        let scheme = named("proto").or_else(|| header("x-forwarded-proto")).unwrap_or(scheme);
        let host = named("host").or_else(|| header("x-forwarded-host")).unwrap_or(authority);
        [scheme, "://", host].concat()
    }

    fn check_header_size(&self, headers: &Headers<'_>) -> Result<(), Error> {
        let max = self.settings.limits.header_bytes_max;
        if headers.bytes > max { Err(Error::HeadersTooLarge(max)) } else { Ok(()) }
    }

    fn error(&self, error: &Error, ids: &RequestIds) -> Reply {
        let mut date = Vec::new();
        date_time::write_local(instant(self.engine.clock().now()), &mut date);
        date.truncate("2026-11-20T09:14:22".len());
        reply::error(error, ids, &String::from_utf8_lossy(&date), self.settings.profile)
    }

    /// Where to get a token, and what was wrong with the one that came. Source: subscriptions-and-auth 23.1.
    fn challenge(
        &self,
        error: &Error,
        parts: &Parts,
        headers: &Headers<'_>,
        connection: &Connection,
    ) -> HeaderValue {
        let mut challenge = vec![r#"Bearer realm="""#.to_owned()];
        let origin = authority(parts, headers).map(|authority| self.origin(headers, authority, connection));
        if let Some((url, audience)) =
            self.authenticator.where_to_sign_in(origin.as_deref().unwrap_or_default())
        {
            challenge.push(format!(r#"authorization_uri="{url}", client_id="{audience}""#));
        }
        if let Error::Token(error) = error
            && *error != TokenError::Missing
        {
            challenge.push(format!(r#"error="invalid_token", error_description="{}""#, error.hint()));
        }
        reply::header_value(&challenge.join(", "))
    }

    fn log(&self, parts: &Parts, ids: &RequestIds, reply: &Reply, started: Option<Instant>) {
        let status = reply.status;
        let took = started.map_or(Duration::ZERO, |started| started.elapsed());
        let slow = took >= self.settings.slow_request && !reply.held;
        if !(slow || self.settings.access_log || status.is_server_error()) {
            return;
        }
        let (method, path, status) = (&parts.method, parts.uri.path(), status.as_u16());
        let took_ms = took.as_secs_f64() * 1000.0;
        if slow || status >= 500 {
            tracing::warn!(target: "porchlight::request", request = %ids.request, %method, path, status, took_ms, slow);
        } else {
            tracing::info!(target: "porchlight::request", request = %ids.request, %method, path, status, took_ms);
        }
    }
}

/// Path and query of a step's URL: relative to the version, or absolute when it names this very server.
fn below_version<'u>(url: &'u str, context: &Context<'_>) -> Result<(&'u str, &'u str), Error> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let foreign = || Error::BadBatch("The url of the request is not one of this server and version.".into());
    let relative = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let (authority, path) = rest.split_at(rest.find('/').ok_or_else(foreign)?);
            let seen = context.base.split(['/', '?']).nth(2).unwrap_or_default();
            if ![context.authority, seen].iter().any(|own| own.eq_ignore_ascii_case(authority)) {
                return Err(foreign());
            }
            let (named, below) = resource::split_version(path).map_err(|_| foreign())?;
            if named != context.version {
                return Err(foreign());
            }
            below
        }
        _ => url,
    };
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    Ok((path.strip_prefix('/').unwrap_or(path), query))
}

/// Host and port as a request names them: `:authority`, or the one `Host` that RFC 9112 3.2 asks for.
///
/// # Errors
///
/// 400 when there is none, more than one, or one that is no host.
fn authority<'r>(parts: &'r Parts, headers: &Headers<'r>) -> Result<&'r str, Error> {
    const BAD: Error = Error::BadPath("The request must have one valid Host header.");
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.as_str());
    }
    if headers.host.first.is_none() && parts.version < http::Version::HTTP_11 {
        return Ok("localhost");
    }
    let host = headers.host.only().ok_or(BAD)?.to_str().map_err(|_| BAD)?;
    if !is_plain(host) {
        host.parse::<http::uri::Authority>().map_err(|_| BAD)?;
    }
    Ok(host)
}

/// A host name or IPv4 address with or without a port: what most requests name, and cheaper to tell than to parse.
fn is_plain(host: &str) -> bool {
    let (name, port) = match host.bytes().rposition(|byte| byte == b':') {
        None => (host, "80"),
        Some(colon) => (&host[..colon], &host[colon + 1..]),
    };
    let in_name = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'-');
    !name.is_empty() && name.bytes().all(in_name) && port.parse::<u16>().is_ok()
}

fn path_error(error: PathError) -> Error {
    match error {
        PathError::Version(version) => Error::InvalidVersion(version),
        PathError::Malformed(what) => Error::BadPath(what),
        PathError::Segment(segment) => Error::UnknownSegment(segment),
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const DIAGNOSTIC: HeaderName = HeaderName::from_static("x-ms-ags-diagnostic");
const FOUR: HeaderValue = HeaderValue::from_static("4.0");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// For a year a browser asks this host by https alone. Source: RFC 6797.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What every response gets.
impl Api {
    fn finish(
        &self,
        reply: Reply,
        method: &Method,
        asked: &Headers<'_>,
        ids: RequestIds,
        connection: &Connection,
    ) -> Response<Sent> {
        let Reply { status, mut headers, mut body, stream, until_sent, held: _ } = reply;
        headers.insert(REQUEST_ID, header_id(ids.request));
        headers.insert(CLIENT_REQUEST_ID, ids.client);
        headers.insert(ODATA_VERSION, FOUR);
        headers.entry(CACHE_CONTROL).or_insert(NO_CACHE);
        headers.insert(DIAGNOSTIC, self.diagnostic.clone());
        // Not in development: a browser would refuse http://localhost from then on, whichever program listens there.
        if connection.secure && self.settings.development.is_none() {
            headers.insert(STRICT_TRANSPORT_SECURITY, A_YEAR);
        }
        if !self.settings.cors_origins.is_empty() {
            self.allow_origin(asked, &mut headers);
        }
        if body.len() >= self.settings.limits.compress_bytes_min && headers.contains_key(CONTENT_TYPE) {
            headers.entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
            if accepts_gzip(asked) {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                body = gzip(&body);
            }
        }
        if *method == Method::HEAD {
            headers.insert(CONTENT_LENGTH, body.len().into());
            body = Bytes::new();
        }
        let mut response = Response::new(Sent::new(body, stream, until_sent));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// OPTIONS: needs no token, since browsers send none with it.
    fn preflight(&self, asked: &Headers<'_>) -> Reply {
        const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        let mut reply = Reply::empty(StatusCode::NO_CONTENT).with(ALLOW, METHODS);
        if !self.settings.cors_origins.is_empty() && asked.origin.first.is_some() {
            let headers = asked.all.get("access-control-request-headers").cloned();
            let headers = headers.unwrap_or(HeaderValue::from_static("authorization, content-type"));
            reply.headers.insert("access-control-allow-methods", METHODS);
            reply.headers.insert("access-control-allow-headers", headers);
            reply.headers.insert("access-control-max-age", HeaderValue::from_static("600"));
        }
        reply
    }

    fn allow_origin(&self, asked: &Headers<'_>, headers: &mut HeaderMap) {
        const EXPOSED: HeaderValue = HeaderValue::from_static(
            "request-id, client-request-id, Retry-After, Location, ETag, porchlight-revision, porchlight-effective",
        );
        let allowed = &self.settings.cors_origins;
        let everybody = allowed.iter().any(|allowed| allowed == "*");
        if !everybody {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = asked.origin.first else { return };
        let allowed = if everybody {
            HeaderValue::from_static("*")
        } else if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
            origin.clone()
        } else {
            return;
        };
        headers.insert("access-control-allow-origin", allowed);
        headers.insert("access-control-expose-headers", EXPOSED);
    }
}

fn accepts_gzip(headers: &Headers<'_>) -> bool {
    if headers.accept_encoding.first.is_none() {
        return false;
    }
    let ranges = headers.all.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        named && !refused
    })
}

fn gzip(body: &[u8]) -> Bytes {
    use std::io::Write;
    let mut encoder =
        flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("a vector takes any number of bytes").into()
}
