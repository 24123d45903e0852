//! What a request was for, as the metrics name it.

use http::Method;

/// The routes; each counts by itself in `/porchlight/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Refused before it was known what it was for.
    None,
    Options,
    /// Anything below `/porchlight/`.
    Operations,
    /// A path that leads nowhere.
    Unknown,
    ServiceDocument,
    Metadata,
    Batch,
    User,
    Users,
    Presence,
    Action,
    Explain,
    Presences,
    PresencesCount,
    PresencesDelta,
    PresencesByUserId,
    Subscriptions,
    Subscription,
    Reauthorize,
    Deliveries,
    /// The keys that sign validation tokens, and where to find them.
    Keys,
    /// Development's tokens.
    Issuer,
    /// The web page and its files.
    Board,
    /// Anything of SCIM.
    Scim,
}

impl Route {
    /// All of them, in their order.
    pub(crate) const ALL: [Route; 24] = [
        Route::None,
        Route::Options,
        Route::Operations,
        Route::Unknown,
        Route::ServiceDocument,
        Route::Metadata,
        Route::Batch,
        Route::User,
        Route::Users,
        Route::Presence,
        Route::Action,
        Route::Explain,
        Route::Presences,
        Route::PresencesCount,
        Route::PresencesDelta,
        Route::PresencesByUserId,
        Route::Subscriptions,
        Route::Subscription,
        Route::Reauthorize,
        Route::Deliveries,
        Route::Keys,
        Route::Issuer,
        Route::Board,
        Route::Scim,
    ];

    /// Whether a request of this method only reads what is kept of a tenant. A batch counts as one that does: what it
    /// has written, the answers of its steps say.
    pub(crate) fn is_read(self, method: &Method) -> bool {
        match self {
            Route::Batch | Route::PresencesByUserId => true,
            Route::User
            | Route::Users
            | Route::Presence
            | Route::Explain
            | Route::Presences
            | Route::PresencesCount
            | Route::PresencesDelta
            | Route::Subscriptions
            | Route::Subscription
            | Route::Deliveries
            | Route::Scim => matches!(*method, Method::GET | Method::HEAD),
            Route::None
            | Route::Options
            | Route::Operations
            | Route::Unknown
            | Route::ServiceDocument
            | Route::Metadata
            | Route::Action
            | Route::Reauthorize
            | Route::Keys
            | Route::Issuer
            | Route::Board => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Route::None => "none",
            Route::Options => "options",
            Route::Operations => "operations",
            Route::Unknown => "unknown",
            Route::ServiceDocument => "service_document",
            Route::Metadata => "metadata",
            Route::Batch => "batch",
            Route::User => "user",
            Route::Users => "users",
            Route::Presence => "presence",
            Route::Action => "action",
            Route::Explain => "explain",
            Route::Presences => "presences",
            Route::PresencesCount => "presences_count",
            Route::PresencesDelta => "presences_delta",
            Route::PresencesByUserId => "presences_by_user_id",
            Route::Subscriptions => "subscriptions",
            Route::Subscription => "subscription",
            Route::Reauthorize => "reauthorize",
            Route::Deliveries => "deliveries",
            Route::Keys => "keys",
            Route::Issuer => "issuer",
            Route::Board => "board",
            Route::Scim => "scim",
        }
    }
}
