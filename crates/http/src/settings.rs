//! How the HTTP surface works.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Seed, Spans};
use porchlight_presence::{ApplicationId, TenantId};
use uuid::Uuid;

use crate::auth::AuthSettings;
use crate::board::BoardSettings;
use crate::issuer::IssuerKey;
use crate::window::Rate;

/// How closely the server keeps to the original.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Every valid request of the original works; limits and refusals that only hurt are relaxed.
    #[default]
    Open,
    /// The original's limits and refusals too, for testing clients that will run against it.
    Strict,
}

/// How notifications name the type of what they are about, which some receivers compare letter by letter.
///
/// Source: subscriptions-and-auth 13.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ODataTypeCase {
    /// `#microsoft.graph.presence`, as the original is documented.
    #[default]
    Documented,
    /// `#Microsoft.Graph.presence`, as the original was seen to write it.
    Observed,
}

/// The settings of the HTTP surface.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How closely to keep to the original.
    pub profile: Profile,
    /// Development mode: its tokens and levers. `None` in production.
    pub development: Option<Development>,
    /// Whose tokens are taken besides.
    pub auth: AuthSettings,
    /// The web page at `/`.
    pub board: BoardSettings,
    /// Scheme, host and port under which clients reach the server, without a trailing slash; `None`: what each
    /// request names.
    pub public_url: Option<String>,
    /// Take scheme and host from `Forwarded`, or `X-Forwarded-Proto` and `X-Forwarded-Host`. Only behind a proxy that
    /// sets them.
    pub trust_forwarded: bool,
    /// Origins that browsers may call from: `*` for all, none for no answers to browsers.
    pub cors_origins: Vec<String>,
    /// What this server calls itself in `x-ms-ags-diagnostic`: its host's name.
    pub instance: String,
    /// How notifications name the type of what they are about.
    pub odata_type_case: ODataTypeCase,
    /// The limits.
    pub limits: HttpLimits,
    /// Write a log line for every request.
    pub access_log: bool,
    /// Always write a log line for a request that takes longer than this.
    pub slow_request: Duration,
    /// Let the audit tell what people write about themselves, before and after: status messages,
    /// out-of-office replies and work locations. Default: no.
    pub audit_texts: bool,
    /// Which requests are traced; `None`: none.
    pub traces: Option<Traces>,
}

/// Which requests are traced, where their clients do not say so themselves.
#[derive(Clone)]
pub struct Traces {
    /// Who collects the pieces.
    pub spans: Arc<dyn Spans>,
    /// The share of requests that is traced, from 0 to 1.
    pub sample: f64,
}

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Traces").field("sample", &self.sample).finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            profile: Profile::Open,
            development: None,
            auth: AuthSettings::default(),
            board: BoardSettings::default(),
            public_url: None,
            trust_forwarded: false,
            cors_origins: Vec::new(),
            instance: "porchlight".to_owned(),
            odata_type_case: ODataTypeCase::Documented,
            limits: HttpLimits::default(),
            access_log: false,
            slow_request: Duration::from_secs(1),
            audit_texts: false,
            traces: None,
        }
    }
}

impl Settings {
    /// How many requests an application may make; `None`: as many as it likes.
    pub(crate) fn rate(&self) -> Option<Rate> {
        match self.profile {
            Profile::Open => {
                let max = self.limits.requests_max?;
                Some(Rate::new(max, self.limits.requests_window))
            }
            Profile::Strict => Some(Rate::STRICT),
        }
    }
}

/// Development mode.
#[derive(Clone, Debug)]
pub struct Development {
    /// The tenant of every development token.
    pub tenant: TenantId,
    /// The application of tokens that name none.
    pub application: ApplicationId,
    /// What a reset brings back.
    pub seeds: Vec<Seed>,
    /// The certificate, in PEM, of the authority that development's own certificate is signed by; `None` when there is
    /// none.
    pub certificate_authority: Option<String>,
    /// What the tokens of the built-in issuer are signed with.
    pub issuer: IssuerKey,
}

impl Development {
    /// The demo tenant. Source: subscriptions-and-auth 0.4.
    pub const TENANT: TenantId = TenantId(Uuid::from_u128(0x9a2f_6c10_5b7e_4a55_8c1d_2f6d_0c9f_1e77));
    /// The demo application.
    pub const APPLICATION: ApplicationId =
        ApplicationId(Uuid::from_u128(0x5f0d_3b8a_1c2e_4b6f_8a9d_7e6c_5b4a_3f21));
}

/// The limits of the HTTP surface. Every one has a defined answer.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Bytes of a request body, after inflating. More: 413. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Bytes of a request's header lines. More: 431. Default 8 KiB.
    pub header_bytes_max: usize,
    /// Ids in one getPresencesByUserId or filter. More: 400. Default 650.
    pub ids_max: usize,
    /// Steps of one batch. More: 400. Default 20.
    pub batch_steps_max: usize,
    /// How long the header of a request may take to arrive, and a TLS handshake. Later: the connection is closed. Also how
    /// long an HTTP/2 connection may be silent before it is asked whether anybody is there, and how long the answer to
    /// that may take. Default 30 s.
    pub header_timeout: Duration,
    /// How long the body of a request may take to arrive. Later: 408. Default 30 s.
    pub body_timeout: Duration,
    /// How long a client may take nothing of what it is sent, from 1 ms to 24 days; room for more, made by its system,
    /// begins the time anew. Longer: the connection is closed. On Linux alone. Default 60 s.
    pub answer_timeout: Duration,
    /// Open connections. More: they wait to be accepted. Default 50,000.
    pub connections_max: usize,
    /// Open connections of one address; those of IPv6 count by their first 64 bits. More are closed at once. 0: no limit.
    /// Default 10,000.
    pub connections_per_address: usize,
    /// The longest that `Prefer: wait=N` holds an answer back; more is taken for as much. Default 60 s.
    pub wait_max: Duration,
    /// Open streams. More: 503 with `Retry-After`. Default 10,000.
    pub streams_max: usize,
    /// After this long without an event a stream sends a comment. Default 15 s.
    pub stream_heartbeat: Duration,
    /// Bodies of at least this many bytes are compressed when the client asks for it. Default 1,024.
    pub compress_bytes_min: usize,
    /// Requests of one application in one tenant within [`HttpLimits::requests_window`], at least 1; a step
    /// of a batch is one. More: 429 with `Retry-After`. Default `None`: as many as it likes. The profile
    /// strict has 1,500 whatever this says. Source: presence-api 18.
    pub requests_max: Option<u32>,
    /// How long a request counts, from 1 s to a day, to within the thirtieth part of that. Default 30 s,
    /// which the profile strict has whatever this says.
    pub requests_window: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            body_bytes_max: 1024 * 1024,
            header_bytes_max: 8 * 1024,
            ids_max: 650,
            batch_steps_max: 20,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            connections_max: 50_000,
            connections_per_address: 10_000,
            wait_max: Duration::from_secs(60),
            streams_max: 10_000,
            stream_heartbeat: Duration::from_secs(15),
            compress_bytes_min: 1024,
            requests_max: None,
            requests_window: Duration::from_secs(30),
        }
    }
}
