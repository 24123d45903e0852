//! The keys that validation tokens are signed with, and the documents that say where to find them. In development mode
//! the issuer's key is among them.
//!
//! Source: subscriptions-and-auth 14.4. Nobody needs a token for them, and no version of the API is in their paths.

use porchlight_engine::Engine;
use porchlight_notify::{Notifier, SigningKey};
use porchlight_presence::TenantId;
use serde_json::{Value, json};

use crate::error::Error;
use crate::issuer::IssuerKey;
use crate::reply::Reply;
use crate::wire::guid;

/// One of the documents, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document<'p> {
    kind: Kind,
    /// What the path calls the issuer.
    name: &'p str,
    /// The tenant of that name; `None`: whichever.
    tenant: Option<TenantId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// OpenID's discovery; with the path of the keys that it leads to.
    Discovery { keys: &'static str },
    /// A JSON Web Key Set. Source: RFC 7517.
    Keys,
}

/// What the paths end with; the longer of two that end alike comes first.
const ENDS: [(&str, Kind); 4] = [
    ("/v2.0/.well-known/openid-configuration", Kind::Discovery { keys: "discovery/v2.0/keys" }),
    ("/.well-known/openid-configuration", Kind::Discovery { keys: "discovery/keys" }),
    ("/discovery/v2.0/keys", Kind::Keys),
    ("/discovery/keys", Kind::Keys),
];

impl<'p> Document<'p> {
    /// The document of a path, if it is the path of one.
    pub(crate) fn at(path: &'p str) -> Option<Document<'p>> {
        let found = ENDS.into_iter().find_map(|(end, kind)| Some((path.strip_suffix(end)?, kind)));
        let (issuer, kind) = found?;
        let name = issuer.strip_prefix('/')?;
        if name.eq_ignore_ascii_case("common") {
            return Some(Document { kind, name, tenant: None });
        }
        Some(Document { kind, name, tenant: Some(TenantId(guid::parse(name)?)) })
    }

    /// GET `/{common or tenant}/.well-known/openid-configuration`, `…/discovery/keys` and the same of `v2.0`; `origin`
    /// is what the client sees before that.
    ///
    /// # Errors
    ///
    /// 404 for a tenant of which nothing is known, 503 when the first key cannot be kept.
    pub(crate) async fn answer(
        self,
        engine: &Engine,
        notifier: &Notifier,
        issuer: Option<&IssuerKey>,
        origin: &str,
    ) -> Result<Reply, Error> {
        if self.tenant.is_some_and(|tenant| engine.tenant(tenant).is_none()) {
            return Err(Error::NotFound);
        }
        match self.kind {
            Kind::Discovery { keys } => Ok(Reply::json(&self.discovery(origin, keys))),
            Kind::Keys => {
                let keys = notifier.signer().await?.keys();
                let keys: Vec<Value> = keys.iter().map(jwk).chain(issuer.map(IssuerKey::jwk)).collect();
                Ok(Reply::json(&json!({"keys": keys})))
            }
        }
    }

    fn discovery(&self, origin: &str, keys: &str) -> Value {
        let name = self.name;
        // Receivers put the tenant of the token in.
        let issuer = self.tenant.map_or("{tenantid}".to_owned(), |tenant| tenant.to_string());
        json!({
            "issuer": format!("{origin}/{issuer}/"),
            "jwks_uri": format!("{origin}/{name}/{keys}"),
            "authorization_endpoint": format!("{origin}/{name}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{origin}/{name}/oauth2/v2.0/token"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }
}

/// A key; without `issuer`, which would make receivers check more than there is to be checked.
fn jwk(key: &SigningKey) -> Value {
    json!({
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key.kid,
        "n": key.modulus,
        "e": key.exponent,
        "x5t": key.thumbprint,
        "x5c": [key.certificate],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

    #[test]
    fn the_paths_of_documents_are_told_from_others() {
        let keys = |keys| Some(Kind::Discovery { keys });
        let table = [
            ("/.well-known/openid-configuration", keys("discovery/keys")),
            ("/v2.0/.well-known/openid-configuration", keys("discovery/v2.0/keys")),
            ("/discovery/keys", Some(Kind::Keys)),
            ("/discovery/v2.0/keys", Some(Kind::Keys)),
            ("/discovery", None),
            ("/v1.0/me/presence", None),
        ];
        for (end, kind) in table {
            for name in ["common", TENANT] {
                let path = format!("/{name}{end}");
                assert_eq!(Document::at(&path).map(|document| document.kind), kind, "{path}");
            }
            for path in [end.to_owned(), format!("/v1.0{end}"), format!("/x/{TENANT}{end}")] {
                assert_eq!(Document::at(&path), None, "{path}");
            }
        }
    }

    #[test]
    fn a_discovery_names_the_issuer_as_tokens_do() {
        let discovery = |name: &str| {
            let path = format!("/{name}/.well-known/openid-configuration");
            Document::at(&path).unwrap().discovery("https://x", "discovery/keys")
        };
        assert_eq!(discovery("common")["issuer"], "https://x/{tenantid}/");
        assert_eq!(discovery(TENANT)["issuer"], format!("https://x/{TENANT}/"));
        assert_eq!(discovery(TENANT)["jwks_uri"], format!("https://x/{TENANT}/discovery/keys"));
    }
}
