//! What libraries ask before they ask for a token.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::reply::Reply;

impl Issuer {
    /// GET `/{tenant}/v2.0/.well-known/openid-configuration`. Source: OpenID Connect Discovery 3.
    ///
    /// Whatever the path calls the tenant, its id is in all that is said: so the issuer is the same as in tokens.
    pub(super) fn discovery(&self, origin: &str) -> Reply {
        let tenant = format!("{origin}/{}", self.tenant);
        let host = host(origin);
        Reply::json(&json!({
            "token_endpoint": format!("{tenant}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic", "none"],
            "jwks_uri": format!("{tenant}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "grant_types_supported": [
                "authorization_code", "client_credentials", "password", "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "issuer": self.name(origin),
            "request_uri_parameter_supported": false,
            "authorization_endpoint": format!("{tenant}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{tenant}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{tenant}/oauth2/v2.0/logout"),
            "claims_supported": [
                "sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "preferred_username", "name", "tid", "oid", "ver",
                "uti", "email",
            ],
            "tenant_region_scope": Value::Null,
            "cloud_instance_name": host,
            "msgraph_host": host,
        }))
    }

    /// GET `/common/discovery/instance?authorization_endpoint=…`: whether a host is one that tokens come from.
    pub(super) fn instance(&self, query: &Parameters<'_>, origin: &str) -> Result<Reply, Refusal> {
        let endpoint = query.require("authorization_endpoint")?;
        let own = host(origin);
        let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
        let asked = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !asked.eq_ignore_ascii_case(own) {
            return Err(Refusal::InstanceUnknown(endpoint.to_owned()));
        }
        Ok(Reply::json(&json!({
            "tenant_discovery_endpoint":
                format!("{origin}/{}/v2.0/.well-known/openid-configuration", self.tenant),
            "api-version": query.get("api-version").unwrap_or("1.1"),
            "metadata": [{"preferred_network": own, "preferred_cache": own, "aliases": [own]}],
        })))
    }

    /// GET `/common/userrealm/{user}`: people sign in here, and not with another provider.
    pub(super) fn user_realm(&self, user: &str, origin: &str) -> Result<Reply, Refusal> {
        let user = percent_decode_str(user).decode_utf8().map_err(|_| Refusal::ParameterUnreadable)?;
        let kind = if self.named(&user).is_ok() { "Managed" } else { "Unknown" };
        Ok(Reply::json(&json!({
            "ver": "1.0",
            "account_type": kind,
            "domain_name": user.rsplit_once('@').map_or("", |(_, domain)| domain),
            "cloud_instance_name": host(origin),
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        })))
    }
}

/// Host and port of an origin.
fn host(origin: &str) -> &str {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    host.split('/').next().unwrap_or(host)
}
