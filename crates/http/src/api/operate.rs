//! What is under `/porchlight/` beside SCIM: what operators ask, and the levers of development.

use http::Method;
use http::request::Parts;

use super::Api;
use super::origin::authority;
use crate::audit::{Entry, Notes, Outcome};
use crate::body::Body;
use crate::connection::Connection;
use crate::error::Error;
use crate::graph;
use crate::headers::Headers;
use crate::reply::{Reply, RequestIds};
use crate::routes::{cluster, development, operations};
use crate::settings::Development;

impl Api {
    /// What else is under `/porchlight/`.
    pub(super) async fn operate(
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
            "cluster" => read().map(|()| cluster::cluster(&self.engine, &self.settings)),
            "limits" => {
                let notify = self.notifier.settings();
                read().map(|()| operations::limits(&self.engine, notify, &self.settings))
            }
            "openapi.json" => {
                read()?;
                let origin = self.origin(headers, authority(parts, headers)?, connection);
                Ok(self.description().reply(&origin, headers))
            }
            "metrics" => {
                read()?;
                let tokens = self.authenticator.cache();
                Ok(operations::metrics(&self.engine, &self.notifier, &self.instruments, tokens).await)
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
                let audited = ["clock", "reset", "faults"].into_iter().find(|audited| *audited == lever);
                if let Some(action) = audited.filter(|_| *method == Method::POST) {
                    self.audit_lever(action, ids, &answer);
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

    fn audit_lever(&self, action: &'static str, ids: &RequestIds, answer: &Result<Reply, Error>) {
        let entry = Entry {
            action,
            request: ids.request,
            client_request: &ids.client,
            caller: None,
            now: self.engine.clock().now(),
            notes: &Notes::default(),
        };
        entry.write(&Outcome::of(answer, self.settings.profile));
    }
}
