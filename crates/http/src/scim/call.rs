//! One call of SCIM, and the form of its bodies.

use futures_util::FutureExt;
use http::{HeaderValue, Method};
use porchlight_engine::{Engine, Tenant};
use serde_json::Value;

use super::ScimError;
use crate::audit::{Entry, Line, Notes, Outcome};
use crate::auth::{Caller, Right};
use crate::body::Body;
use crate::error::Error;
use crate::headers::Headers;
use crate::reply::{Reply, RequestIds};
use crate::settings::Settings;

/// What every part of SCIM needs to know.
pub(crate) struct ScimCall<'c> {
    pub(crate) engine: &'c Engine,
    pub(crate) settings: &'c Settings,
    pub(crate) method: &'c Method,
    pub(crate) query: &'c str,
    pub(crate) headers: &'c Headers<'c>,
    pub(crate) caller: &'c Caller,
    /// Scheme, host and port as the client sees them.
    pub(crate) origin: &'c str,
    pub(crate) ids: &'c RequestIds,
    /// What is learned of the change that it makes.
    pub(crate) notes: Notes,
}

impl ScimCall<'_> {
    /// The caller's tenant.
    pub(super) fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// The URL of what is at this path below the base of SCIM.
    pub(super) fn url(&self, path: &str) -> String {
        [self.origin, super::endpoint::BASE, path].concat()
    }

    /// # Errors
    ///
    /// 403 for a caller who may not read people.
    pub(super) fn may_read(&self) -> Result<(), ScimError> {
        Ok(self.caller.require(&Right::READ_BY_SCIM)?)
    }

    /// # Errors
    ///
    /// 403 for a caller who may not write people.
    pub(super) fn may_write(&self) -> Result<(), ScimError> {
        Ok(self.caller.may_write_people(self.settings)?)
    }

    /// The JSON that the body must be.
    ///
    /// # Errors
    ///
    /// 415 for another content type, 400 for no JSON object, what every body can be answered with, and 401
    /// when the caller was disabled or deleted before all of it had come.
    pub(super) async fn read(&self, body: Body) -> Result<Value, ScimError> {
        self.check_content_type()?;
        let bytes = body.read(self.headers, &self.settings.limits).await?;
        self.caller.remains()?;
        if bytes.trim_ascii().is_empty() {
            return Err(Error::EmptyPayload.into());
        }
        let json: Value = serde_json::from_slice(&bytes).map_err(|_| Error::UnreadablePayload)?;
        if json.is_object() { Ok(json) } else { Err(ScimError::InvalidSyntax("a JSON object")) }
    }

    /// No content type at all is taken for JSON.
    fn check_content_type(&self) -> Result<(), ScimError> {
        let Some(value) = self.headers.content_type.first else { return Ok(()) };
        let essence = value.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let known = ["", "application/scim+json", "application/json"];
        if known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
            Ok(())
        } else {
            Err(ScimError::UnsupportedMediaType)
        }
    }

    /// Makes a change, and leaves its line in the log, even if the client goes away before. As [`crate::audit::audited`].
    ///
    /// # Errors
    ///
    /// What `change` answers.
    pub(super) fn audited(
        &self,
        action: &'static str,
        change: impl Future<Output = Result<Reply, ScimError>>,
    ) -> impl Future<Output = Result<Reply, ScimError>> {
        let line = Line::begin(Entry {
            action,
            request: self.ids.request,
            client_request: &self.ids.client,
            caller: Some(self.caller),
            now: self.engine.clock().now(),
            notes: &self.notes,
        });
        change.map(move |answer| {
            line.end(&match &answer {
                Ok(_) => Outcome::Done,
                Err(error) => Outcome::Failed(error.failed(self.settings.profile)),
            });
            answer
        })
    }
}

/// 200 with this body.
pub(super) fn reply(body: &Value) -> Reply {
    Reply::ok(HeaderValue::from_static("application/scim+json"), body.to_string())
}
