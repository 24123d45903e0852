//! The way of a request: limits, path, token, route; then headers, compression, log and metrics.

mod finish;
mod operate;
mod origin;
mod page;

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use porchlight_engine::{Engine, Part};
use porchlight_notify::{Notifier, RootsError};
use tokio::sync::watch;
use tokio::time::Instant;

use self::origin::authority;
use crate::audit::Notes;
use crate::auth::{Authenticator, Caller, TokenError};
use crate::board::Board;
use crate::body::{self, Body};
use crate::bookmark::Bookmarks;
use crate::call::{self, Call};
use crate::connection::Connection;
use crate::error::Error;
use crate::graph;
use crate::headers::{Field, Headers};
use crate::instruments::Instruments;
use crate::issuer::{Asked, Endpoint, Issuer};
use crate::journey::{Arrival, Journey};
use crate::openapi::Description;
use crate::reply::{self, MetadataLevel, Reply, RequestIds, Sent};
use crate::resource::{self, PathError, Resource, Version};
use crate::route::Route;
use crate::routes::batch::Batch;
use crate::routes::keys::Document;
use crate::routes::{documents, stream};
use crate::scim::{self, ScimCall, ScimError};
use crate::seen;
use crate::settings::Settings;
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
    /// The web page, where there is to be one.
    board: Option<Board>,
    /// Whether the server stops: who waits for news is answered then.
    stop: watch::Sender<bool>,
    /// Made when somebody asks for it first, since hardly anybody does. Whoever asks meanwhile waits some milliseconds.
    description: OnceLock<Description>,
}

/// A step of a batch.
pub(crate) struct Step {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
    journey: &'r Journey,
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
        crate::recorder::install_recorder();
        let diagnostic = serde_json::json!({"ServerInfo": {
            "DataCenter": "Porchlight", "Slice": "E", "Ring": "1", "ScaleUnit": "001", "RoleInstance": settings.instance,
        }});
        // For good: the counter of shared bytes would move from core to core with every answer.
        let diagnostic = HeaderValue::from_static(diagnostic.to_string().leak());
        let issuer = settings.development.as_ref().map(|development| Issuer::new(&engine, development));
        let board = Board::new(&settings);
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
            board,
            stop,
            description: OnceLock::new(),
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

    /// What the server says of its API.
    fn description(&self) -> &Description {
        self.description
            .get_or_init(|| Description::of(&self.engine, self.notifier.settings(), &self.settings))
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

    /// Answers one request that came by no socket and whose body is there already; `peer` is whom it is taken to come
    /// from. For those who test the whole API, by the thousand, in one process.
    #[doc(hidden)]
    pub async fn answer_whole(
        &self,
        request: Request<Bytes>,
        peer: IpAddr,
    ) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let connection = Connection::new(peer, false);
        self.answer(request.map(Body::Whole), &connection).await.map(UnsyncBoxBody::new)
    }

    /// Answers one request of a connection.
    pub(crate) async fn answer(&self, request: Request<Body>, connection: &Connection) -> Response<Sent> {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let headers = Headers::of(&parts.headers);
        let ids = RequestIds::new(&headers);
        let mut journey = Journey::begin(self.settings.traces.as_ref(), &parts, ids.request, begun);
        let routed = self.route(&parts, &headers, body, &ids, connection, &mut journey);
        let outcome = AssertUnwindSafe(routed).catch_unwind().await.unwrap_or_else(|_| {
            let path = nameless(parts.uri.path());
            tracing::error!(request = %ids.request, path = &*path, "the request ended in a panic");
            Err(Error::Internal)
        });
        let reply = outcome.unwrap_or_else(|error| {
            let token = if let Error::Token(error) = &error { Some(*error) } else { None };
            let reply = match journey.route {
                Route::Scim => ScimError::from(error).reply(self.settings.profile),
                _ => self.error(&error, &ids),
            };
            if reply.status == StatusCode::UNAUTHORIZED {
                reply.with(WWW_AUTHENTICATE, self.challenge(token, &parts, &headers, connection))
            } else {
                reply
            }
        });
        let (request, route, status, took) = (ids.request, journey.route, reply.status, begun.elapsed());
        self.instruments.answered(route, status, (!reply.held).then_some(took));
        let arrival = Arrival { request, route, method: &parts.method, status, took };
        self.log(&arrival, parts.uri.path(), &journey, reply.held);
        journey.end(&arrival);
        self.finish(reply, journey.route, &parts.method, &headers, ids, connection)
    }

    async fn route(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        body: Body,
        ids: &RequestIds,
        connection: &Connection,
        journey: &mut Journey,
    ) -> Result<Reply, Error> {
        let path = parts.uri.path();
        let scim = scim::below(path);
        if scim.is_some() {
            // Before anything can be wrong: its errors have a form of their own.
            journey.route = Route::Scim;
        }
        self.check_header_size(headers)?;
        body::check_announced_length(headers, &self.settings.limits)?;
        if parts.method == Method::OPTIONS {
            journey.route = Route::Options;
            return Ok(self.preflight(headers));
        }
        // What is seldom asked for is answered in a future of its own: a read would carry its state about for nothing.
        if let Some(below) = scim {
            let answer = self.scim(below, parts, headers, body, ids, connection);
            return journey.run(ids.request, answer).boxed().await;
        }
        if let Some(operation) = path.strip_prefix("/porchlight/") {
            if let Some(answer) = self.page(parts, headers, journey) {
                return answer;
            }
            journey.route = Route::Operations;
            let answer = self.operate(parts, operation, headers, body, ids, connection);
            return journey.run(ids.request, answer).boxed().await;
        }
        let (version, below) = match resource::split_version(path) {
            Ok(split) => split,
            Err(error) => {
                if let Some(answer) = self.page(parts, headers, journey) {
                    return answer;
                }
                let place = self.unversioned(path).ok_or_else(|| path_error(error))?;
                journey.route = place.route();
                return self.answer_at(place, parts, headers, body, ids, connection).boxed().await;
            }
        };
        let parsed = Resource::parse(below);
        if let Err(error @ PathError::Malformed(_)) = parsed {
            return Err(path_error(error));
        }
        journey.route = parsed.as_ref().map_or(Route::Unknown, graph::route);
        let journey = &*journey;
        let base = self.base(parts, headers, version, connection)?;
        let context = |authority| Context { headers, version, base: &base, authority, ids, journey };
        let query = parts.uri.query().unwrap_or_default();
        if let Ok(resource @ (Resource::Metadata | Resource::ServiceDocument)) = &parsed {
            graph::check_method(&parts.method, resource, self.settings.profile)?;
            if *resource == Resource::Metadata {
                return Ok(documents::metadata());
            }
            call::metadata_level(headers)?;
            return Ok(documents::service_document(&base));
        }
        let caller = if let Some(caller) = self.authenticator.recall(headers, &connection.last_caller) {
            self.instruments.knew_token();
            caller
        } else {
            let caller = self.authenticator.authenticate(headers, &connection.last_caller);
            journey.run(ids.request, caller).boxed().await?
        };
        let resource = parsed.map_err(path_error)?;
        if let Some(revision) = seen::awaited(headers, &caller.tenant)? {
            journey.errand().run(seen::reached(&self.engine, &caller, revision)).await?;
        }
        if resource == Resource::Batch {
            graph::check_method(&parts.method, &resource, self.settings.profile)?;
            let context = context(authority(parts, headers)?);
            // Its steps have request ids of their own.
            let answer = self.batch(&context, &caller, body);
            return journey.errand().run(answer).boxed().await;
        }
        // Only the steps of a batch name hosts of their own.
        let context = context("");
        let call = self.call(&context, &parts.method, query, headers, &caller);
        // Not in a batch, whose answers are whole.
        if graph::has_stream(&parts.method, &resource) && stream::is_wanted(headers) {
            graph::admit(&call, &resource)?;
            return stream::open(&call, &resource).boxed().await;
        }
        graph::answer(&call, &resource, body).await
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
            journey: context.journey,
            notes: Notes::default(),
            stop: &self.stop,
        }
    }

    /// POST `/$batch` (P20)
    async fn batch(&self, context: &Context<'_>, caller: &Caller, body: Body) -> Result<Reply, Error> {
        call::metadata_level(context.headers)?;
        let bytes = body.read_json(context.headers, &self.settings.limits).await?;
        caller.remains()?;
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
        // It may have waited for the steps that it depends on, and one of these may be about the caller.
        caller.remains()?;
        let (path, query) = below_version(&step.url, context)?;
        let resource = Resource::parse(path).map_err(path_error)?;
        // The steps of a batch are answered together, so none of them waits.
        let headers = Headers { prefer: Field::default(), ..Headers::of(&step.headers) };
        body::check_announced_length(&headers, &self.settings.limits)?;
        if let Some(revision) = seen::awaited(&headers, &caller.tenant)? {
            seen::reached(&self.engine, caller, revision).await?;
        }
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
        if let Some(revision) = seen::awaited(headers, &caller.tenant)? {
            seen::reached(&self.engine, &caller, revision).await?;
        }
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
        match scim::answer(&call, below, body).await {
            // As before the call: a refusal of who calls says how to sign in.
            Err(ScimError::Call(error @ Error::Token(_))) => Err(error),
            answer => Ok(answer.unwrap_or_else(|error| error.reply(self.settings.profile))),
        }
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
        token: Option<TokenError>,
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
        if let Some(error) = token.filter(|error| *error != TokenError::Missing) {
            challenge.push(format!(r#"error="invalid_token", error_description="{}""#, error.hint()));
        }
        reply::header_value(&challenge.join(", "))
    }

    /// Leaves a line if it is to be left: for every request, or for one that took long or failed. `held`: it was held back
    /// as its client wished, and is not slow for that.
    fn log(&self, arrival: &Arrival<'_>, path: &str, journey: &Journey, held: bool) {
        let Arrival { request, route, method, status, took, .. } = arrival;
        let slow = *took >= self.settings.slow_request && !held;
        if !(slow || self.settings.access_log || status.is_server_error()) {
            return;
        }
        let (path, status) = (nameless(path), status.as_u16());
        let took_ms = took.as_secs_f64() * 1000.0;
        if slow || status >= 500 {
            // What was not waited for is left out.
            tracing::warn!(
                target: "porchlight::request",
                %request,
                %method,
                route = route.name(),
                path = &*path,
                status,
                took_ms,
                slow,
                body_ms = journey.waited_ms(Part::Body),
                revision_ms = journey.waited_ms(Part::Revision),
                endpoint_ms = journey.waited_ms(Part::Endpoint),
                lane_ms = journey.waited_ms(Part::Lane),
                append_ms = journey.waited_ms(Part::Append),
            );
        } else {
            tracing::info!(target: "porchlight::request", %request, %method, path = &*path, status, took_ms);
        }
    }
}

/// A path without the names by which people sign in and are written to, as it may stand in the log.
fn nameless(path: &str) -> Cow<'_, str> {
    let is_name = |segment: &str| segment.contains('@') || segment.contains("%40");
    if !is_name(path) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').map(|segment| if is_name(segment) { "{name}" } else { segment });
    segments.collect::<Vec<_>>().join("/").into()
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

fn path_error(error: PathError) -> Error {
    match error {
        PathError::Version(version) => Error::InvalidVersion(version),
        PathError::Malformed(what) => Error::BadPath(what),
        PathError::Segment(segment) => Error::UnknownSegment(segment),
    }
}
