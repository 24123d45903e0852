//! Proof that whoever redeems a code is who asked for it (PKCE). Source: RFC 7636.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::parameters::Parameters;
use super::refusal::Refusal;

/// How many characters a challenge has. Source: RFC 7636 4.2.
const LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// What the verifier has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The verifier itself.
    Plain(String),
    /// Its SHA-256, base64url.
    S256(String),
}

impl Challenge {
    /// The challenge of a request for a code, if it has one.
    ///
    /// # Errors
    ///
    /// [`Refusal::ChallengeMethod`] and [`Refusal::ChallengeLength`].
    pub(super) fn read(parameters: &Parameters<'_>) -> Result<Option<Challenge>, Refusal> {
        let Some(text) = parameters.get("code_challenge") else { return Ok(None) };
        let challenge = match parameters.get("code_challenge_method") {
            None | Some("plain") => Challenge::Plain(text.to_owned()),
            Some("S256") => Challenge::S256(text.to_owned()),
            Some(other) => return Err(Refusal::ChallengeMethod(other.to_owned())),
        };
        if LENGTHS.contains(&text.len()) { Ok(Some(challenge)) } else { Err(Refusal::ChallengeLength) }
    }

    /// Whether this is the verifier that was meant.
    pub(super) fn fits(&self, verifier: &str) -> bool {
        match self {
            Challenge::Plain(challenge) => challenge == verifier,
            Challenge::S256(challenge) => {
                *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_example_of_the_specification_fits() {
        const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge::S256("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        assert!(challenge.fits(VERIFIER));
        assert!(
            !challenge.fits("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            "the challenge is no verifier"
        );
        assert!(Challenge::Plain(VERIFIER.to_owned()).fits(VERIFIER));
        assert!(!Challenge::Plain(VERIFIER.to_owned()).fits(""));
    }
}
