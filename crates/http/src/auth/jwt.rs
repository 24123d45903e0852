//! A JSON Web Token, taken apart. Source: RFC 7519, RFC 7515.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::TokenError;
use super::members;

/// A token whose parts could be read. Nothing in it is to be believed before its signature was checked.
#[derive(Debug)]
pub(super) struct Jwt<'t> {
    pub(super) algorithm: String,
    pub(super) key_id: Option<String>,
    pub(super) claims: Claims,
    /// What is signed: header and claims as they came.
    pub(super) signed: &'t str,
    pub(super) signature: &'t str,
}

/// What a token says.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl<'t> Jwt<'t> {
    /// Takes a token apart. What its header says of keys (`jwk`, `jku`, `x5u`, `x5c`) is not even looked at.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`], and [`TokenError::Header`] for an extension or a type that is not known.
    pub(super) fn parse(token: &'t str) -> Result<Jwt<'t>, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if claims.contains('.') || URL_SAFE_NO_PAD.decode(signature).is_err() {
            return Err(TokenError::Malformed);
        }
        let (mut header, claims) = (object(header)?, object(claims)?);
        let mut text = |name: &str| match header.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::Malformed),
        };
        let algorithm = text("alg")?.ok_or(TokenError::Malformed)?;
        let (key_id, kind) = (text("kid")?, text("typ")?);
        // RFC 7515 4.1.11: whoever does not understand what is critical must refuse. Nothing is understood here.
        let is_known = kind.is_none_or(|kind| {
            ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known))
        });
        if header.contains_key("crit") || !is_known {
            return Err(TokenError::Header);
        }
        Ok(Jwt { algorithm, key_id, claims: Claims(claims), signed, signature })
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    members::read(&bytes).map_err(|_| TokenError::Malformed)
}

impl Claims {
    /// A claim by its name, or by the path that the name is.
    fn get(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        let first = self.0.get(first)?;
        rest.split('.').try_fold(first, |object, name| object.get(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A claim that is text, and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A claim that is one text, of which `separator` makes several, or a list of texts.
    pub(super) fn list(&self, name: &str, separator: Option<char>) -> Vec<&str> {
        match (self.get(name), separator) {
            (Some(Value::String(text)), Some(separator)) => {
                text.split(separator).filter(|text| !text.is_empty()).collect()
            }
            (Some(Value::String(text)), None) => vec![text],
            (Some(Value::Array(items)), _) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// An instant, in Unix milliseconds; `None` when it is absent. Source: RFC 7519 2, `NumericDate`.
    ///
    /// # Errors
    ///
    /// [`TokenError::Claims`] for what is no instant.
    pub(super) fn instant(&self, name: &str) -> Result<Option<i64>, TokenError> {
        /// The year 9999.
        const SECONDS_MAX: f64 = 253_402_300_799.0;
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
        seconds.map(|seconds| Some((seconds * 1000.0) as i64)).ok_or(TokenError::Claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        format!("{}.{}.{}", encode(header), encode(claims), encode("signature"))
    }

    fn parsed(header: &str, claims: &str) -> Result<(), TokenError> {
        Jwt::parse(&token(header, claims)).map(drop)
    }

    #[test]
    fn what_is_no_token_is_told_from_one() {
        let good = r#"{"alg":"RS256","typ":"JWT","kid":"1"}"#;
        assert_eq!(parsed(good, "{}"), Ok(()));
        assert_eq!(parsed(r#"{"alg":"RS256","typ":"at+jwt"}"#, "{}"), Ok(()));
        let malformed = [
            r#"{"typ":"JWT"}"#,
            r#"{"alg":7}"#,
            r#"{"alg":"RS256","alg":"none"}"#,
            r#"{"alg":"RS256","kid":7}"#,
            "[]",
            "",
            r#"{"alg":"RS256""#,
        ];
        for header in malformed {
            assert_eq!(parsed(header, "{}"), Err(TokenError::Malformed), "{header}");
        }
        assert_eq!(parsed(good, r#"{"aud":"a","aud":"b"}"#), Err(TokenError::Malformed), "a claim twice");
        assert_eq!(parsed(good, r#"{"a":1}x"#), Err(TokenError::Malformed));
        for header in [r#"{"alg":"RS256","crit":["exp"]}"#, r#"{"alg":"RS256","typ":"JWE"}"#] {
            assert_eq!(parsed(header, "{}"), Err(TokenError::Header), "{header}");
        }
        let whole = token(good, "{}");
        for broken in
            ["", ".", "..", "a.b", &format!("{whole}.x"), &format!("{whole}="), &whole.replace('.', "")]
        {
            assert_eq!(Jwt::parse(broken).map(drop), Err(TokenError::Malformed), "{broken}");
        }
    }

    #[test]
    fn claims_are_found_by_name_and_by_path() {
        let claims =
            r#"{"a":"x y","b":["x","y",7],"c":{"d":{"e":["z"]}},"c.f":"g","n":1.5,"bad":"7","huge":1e300}"#;
        let token = token(r#"{"alg":"RS256"}"#, claims);
        let claims = Jwt::parse(&token).unwrap().claims;
        assert_eq!(claims.list("a", Some(' ')), ["x", "y"]);
        assert_eq!(claims.list("a", None), ["x y"]);
        assert_eq!(claims.list("b", Some(' ')), ["x", "y"]);
        assert_eq!(claims.list("c.d.e", None), ["z"]);
        assert_eq!(claims.text("c.f"), Some("g"));
        assert_eq!((claims.text("c"), claims.text("c.d.x"), claims.text("none")), (None, None, None));
        assert_eq!((claims.instant("n"), claims.instant("none")), (Ok(Some(1500)), Ok(None)));
        for bad in ["bad", "huge", "b"] {
            assert_eq!(claims.instant(bad), Err(TokenError::Claims), "{bad}");
        }
    }
}
