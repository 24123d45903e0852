//! Why no caller is known. Source: subscriptions-and-auth 22.2, 23.2.

/// What is wrong with a token, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// There is none.
    Missing,
    /// It is not a token.
    Malformed,
    /// It is signed in a way that is not taken.
    Algorithm,
    /// Its header asks for something that is not known.
    Header,
    /// Nobody who is trusted has issued it.
    Issuer,
    /// None of the issuer's keys has signed it.
    Key,
    /// The key that it names has not signed it.
    Signature,
    /// A claim that it needs is missing or unreadable.
    Claims,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// It is for somebody else.
    Audience,
    /// Its tenant may not come.
    Tenant,
    /// It names nobody who is known.
    Unknown,
    /// Whom it names may not sign in.
    Refused,
}

impl TokenError {
    /// The recorded message.
    pub(crate) fn message(self) -> &'static str {
        match self {
            TokenError::Missing => "Access token is empty.",
            TokenError::Malformed => "CompactToken parsing failed with error code: 80049217",
            TokenError::Audience => "Access token validation failure. Invalid audience.",
            TokenError::Expired => "Lifetime validation failed, the token is expired.",
            TokenError::NotYet => "Access token has expired or is not yet valid.",
            TokenError::Algorithm
            | TokenError::Header
            | TokenError::Issuer
            | TokenError::Key
            | TokenError::Signature
            | TokenError::Claims
            | TokenError::Tenant
            | TokenError::Unknown
            | TokenError::Refused => "Access token validation failure.",
        }
    }

    /// What to change.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            TokenError::Missing => "send the header Authorization: Bearer {token}",
            TokenError::Malformed => {
                "the header must be 'Authorization: Bearer {token}', the token a signed JWT"
            }
            TokenError::Algorithm => "the token's 'alg' is not among the algorithms set for its issuer",
            TokenError::Header => "the token's header has a 'crit' or 'typ' that is not understood",
            TokenError::Issuer => "no trusted issuer has the token's 'iss'",
            TokenError::Key => "the token's 'kid' is not among its issuer's keys",
            TokenError::Signature => {
                "the token's signature is wrong: was it changed, or meant for another server?"
            }
            TokenError::Claims => {
                "a claim that names the tenant, the application or the user is missing, or 'exp' is"
            }
            TokenError::Expired => "get a new token",
            TokenError::NotYet => "the token's 'nbf' lies ahead: are the clocks right?",
            TokenError::Audience => {
                "the token is for somebody else: ask the issuer for one for this server's audience, not for Microsoft Graph's"
            }
            TokenError::Tenant => "the token's tenant is not among those that may come",
            TokenError::Unknown => "the token names nobody whom the directory has",
            TokenError::Refused => "the person or the application may not sign in",
        }
    }

    /// The value of the metric's label.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            TokenError::Missing => "missing",
            TokenError::Malformed => "malformed",
            TokenError::Algorithm => "algorithm",
            TokenError::Header => "header",
            TokenError::Issuer => "issuer",
            TokenError::Key => "key",
            TokenError::Signature => "signature",
            TokenError::Claims => "claims",
            TokenError::Expired => "expired",
            TokenError::NotYet => "not_yet",
            TokenError::Audience => "audience",
            TokenError::Tenant => "tenant",
            TokenError::Unknown => "unknown",
            TokenError::Refused => "refused",
        }
    }
}
