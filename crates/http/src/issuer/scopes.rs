//! What a request asks for.

use std::collections::HashSet;

use crate::auth::{Permission, Permissions};

/// Asks for parts of an answer and for claims, not for permissions. Source: OpenID Connect Core 5.4, 11.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Asks for every permission that there is.
const DEFAULT: &str = ".default";

/// The parameter `scope`: words, as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scopes(Vec<String>);

impl Scopes {
    /// Reads the parameter; `None`: it was left out.
    pub(super) fn read(text: Option<&str>) -> Scopes {
        let mut known = HashSet::new();
        let words = text.unwrap_or_default().split_whitespace().filter(|word| known.insert(*word));
        Scopes(words.map(str::to_owned).collect())
    }

    /// The parameter.
    pub(super) fn text(&self) -> String {
        self.0.join(" ")
    }

    /// Whether this word of `OpenID` is there.
    pub(super) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(word))
    }

    /// The permissions that a token for these gets: without a prefix, the known ones as they are spelled, the others as
    /// they were asked for (they grant nothing). All of this kind when none is named.
    pub(super) fn permissions(&self, kind: Permissions) -> Vec<&str> {
        let (all, mut names): (Vec<&str>, Vec<&str>) = (kind.names().collect(), Vec::new());
        let asked = self.asked();
        if asked.is_empty() {
            names.extend(&all);
        }
        for word in asked {
            match bare(word) {
                DEFAULT => names.extend(&all),
                name => names.push(Permission::from_name(name).map_or(name, |known| known.name())),
            }
        }
        let mut known = HashSet::new();
        names.retain(|name| known.insert(*name));
        names
    }

    /// What the answer names as granted: the words as they were sent, since libraries look for them again, and behind a
    /// `.default` what it stands for, with the same prefix.
    pub(super) fn granted(&self, kind: Permissions) -> String {
        let mut words: Vec<String> = Vec::new();
        let asked = self.asked();
        if asked.is_empty() {
            words.extend(kind.names().map(str::to_owned));
        }
        for word in asked {
            words.push(word.to_owned());
            if let Some(prefix) = word.strip_suffix(DEFAULT).filter(|_| bare(word) == DEFAULT) {
                words.extend(kind.names().map(|name| format!("{prefix}{name}")));
            }
        }
        words.extend(self.0.iter().filter(|word| is_openid(word)).cloned());
        words.join(" ")
    }

    /// The names among these that grant nothing to a token of this kind.
    pub(super) fn without_effect(&self, kind: Permissions) -> Vec<&str> {
        let grants = |name: &str| {
            Permission::from_name(name).is_some_and(|permission| kind.any(Permissions::of(&[permission])))
        };
        self.permissions(kind).into_iter().filter(|name| !grants(name)).collect()
    }

    /// The words that ask for permissions.
    fn asked(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).filter(|word| !is_openid(word)).collect()
    }
}

fn is_openid(word: &str) -> bool {
    OPENID.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// A word without its resource: whatever stands before the last `/`. Source: subscriptions-and-auth 24.3.
fn bare(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Permissions = Permissions::of(&[Permission::PresenceRead, Permission::PresenceReadAll]);

    #[test]
    fn scopes_name_permissions_with_or_without_a_resource() {
        let all = "Presence.Read Presence.Read.All";
        let table = [
            ("", all, all.to_owned()),
            ("openid profile", all, format!("{all} openid profile")),
            ("Presence.Read", "Presence.Read", "Presence.Read".to_owned()),
            ("api://x/presence.read", "Presence.Read", "api://x/presence.read".to_owned()),
            ("Presence.Read a/Presence.Read", "Presence.Read", "Presence.Read a/Presence.Read".to_owned()),
            ("https://x.y/Mail.Read", "Mail.Read", "https://x.y/Mail.Read".to_owned()),
            ("a/.default", all, "a/.default a/Presence.Read a/Presence.Read.All".to_owned()),
            ("A B A openid", "A B", "A B openid".to_owned()),
        ];
        for (text, permissions, granted) in table {
            let scopes = Scopes::read(Some(text));
            assert_eq!(scopes.permissions(USER).join(" "), permissions, "{text}");
            assert_eq!(scopes.granted(USER), granted, "{text}");
        }
        assert_eq!(Scopes::read(None), Scopes::read(Some(" ")));
    }

    #[test]
    fn names_that_are_unknown_or_of_another_kind_have_no_effect() {
        let scopes = Scopes::read(Some("Presence.Read Presence.ReadWrite.All Mail.Read"));
        assert_eq!(scopes.without_effect(USER), ["Presence.ReadWrite.All", "Mail.Read"]);
        assert!(Scopes::read(Some("x/.default")).without_effect(USER).is_empty());
    }
}
