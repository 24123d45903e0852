//! A Graph path, parsed once: requests, batch steps and subscription resources share this.
//!
//! Source: presence-api 3 and 21.1. Fixed segments match without case; keys come as segments (`/users/ID`) or in
//! parentheses (`/users('ID')`, a quote doubled); percent-encoding is decoded once; one trailing slash is tolerated.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The version of the API that a path names. Both behave alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    Beta,
}

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1.0",
            Version::Beta => "beta",
        }
    }

    fn from_segment(segment: &str) -> Option<Version> {
        [Version::V1, Version::Beta].into_iter().find(|version| version.name().eq_ignore_ascii_case(segment))
    }
}

/// What a path below the version means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'p> {
    /// `/`
    ServiceDocument,
    /// `/$metadata`
    Metadata,
    /// `/$batch`
    Batch,
    /// `/me` or `/users/{key}`
    User(UserKey<'p>),
    /// `/users`
    Users,
    /// One presence, under any of its three roots.
    Presence(PresencePath<'p>),
    /// An action on one presence.
    Action(PresencePath<'p>, Action),
    /// `…/presence/porchlight.explain`
    Explain(PresencePath<'p>),
    /// `/communications/presences`
    Presences,
    /// `/communications/presences/$count`
    PresencesCount,
    /// `/communications/presences/delta`
    PresencesDelta,
    /// `/communications/getPresencesByUserId`
    PresencesByUserId,
    /// `/subscriptions`
    Subscriptions,
    /// `/subscriptions/{id}`, the id as it was sent, decoded.
    Subscription(Cow<'p, str>),
    /// `/subscriptions/{id}/reauthorize`
    Reauthorize(Cow<'p, str>),
    /// `/subscriptions/{id}/porchlight.deliveries`
    Deliveries(Cow<'p, str>),
}

/// Whose presence, and under which root it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresencePath<'p> {
    pub(crate) root: Root,
    pub(crate) key: UserKey<'p>,
}

/// The entity set that a presence was reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// `/me/presence` and `/users/{key}/presence`
    Users,
    /// `/communications/presences/{key}`
    Communications,
}

/// Which user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserKey<'p> {
    /// The caller.
    Me,
    /// An id, a user principal name or a mail address, decoded.
    Named(Cow<'p, str>),
}

/// The actions on a presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    SetPresence,
    ClearPresence,
    SetUserPreferredPresence,
    ClearUserPreferredPresence,
    SetStatusMessage,
    SetAutomaticLocation,
    SetManualLocation,
    ClearAutomaticLocation,
    ClearLocation,
}

impl Action {
    /// All of them.
    pub(crate) const ALL: [Action; 9] = [
        Action::SetPresence,
        Action::ClearPresence,
        Action::SetUserPreferredPresence,
        Action::ClearUserPreferredPresence,
        Action::SetStatusMessage,
        Action::SetAutomaticLocation,
        Action::SetManualLocation,
        Action::ClearAutomaticLocation,
        Action::ClearLocation,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::SetPresence => "setPresence",
            Action::ClearPresence => "clearPresence",
            Action::SetUserPreferredPresence => "setUserPreferredPresence",
            Action::ClearUserPreferredPresence => "clearUserPreferredPresence",
            Action::SetStatusMessage => "setStatusMessage",
            Action::SetAutomaticLocation => "setAutomaticLocation",
            Action::SetManualLocation => "setManualLocation",
            Action::ClearAutomaticLocation => "clearAutomaticLocation",
            Action::ClearLocation => "clearLocation",
        }
    }

    /// Whether it takes a body with parameters.
    pub(crate) fn has_parameters(self) -> bool {
        !matches!(
            self,
            Action::ClearUserPreferredPresence | Action::ClearAutomaticLocation | Action::ClearLocation
        )
    }

    /// Whether only a user may do it, not an application of its own right. Source: presence-api 5.2.
    pub(crate) fn is_delegated_only(self) -> bool {
        matches!(
            self,
            Action::SetAutomaticLocation
                | Action::SetManualLocation
                | Action::ClearAutomaticLocation
                | Action::ClearLocation
        )
    }
}

/// Why a path means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// The first segment is no version.
    Version(String),
    /// The path cannot be read at all.
    Malformed(&'static str),
    /// A segment that is not there.
    Segment(String),
}

/// Splits `/v1.0/…` into the version and the path below it.
///
/// # Errors
///
/// [`PathError::Version`].
pub(crate) fn split_version(path: &str) -> Result<(Version, &str), PathError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = split(path, b'/').unwrap_or((path, ""));
    match Version::from_segment(first) {
        Some(version) => Ok((version, rest)),
        None => Err(PathError::Version(percent_decode_str(first).decode_utf8_lossy().into_owned())),
    }
}

impl<'p> Resource<'p> {
    /// The resource of a path below the version, without a leading slash.
    ///
    /// # Errors
    ///
    /// [`PathError::Malformed`] and [`PathError::Segment`].
    pub(crate) fn parse(path: &'p str) -> Result<Resource<'p>, PathError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = Segments { rest: (!path.is_empty()).then_some(path) };
        let Some(first) = segments.next()? else { return Ok(Resource::ServiceDocument) };
        let resource = if first.is("users") {
            match first.key(&mut segments)? {
                None => Resource::Users,
                Some(key) => below_user(user_key(key), &mut segments)?,
            }
        } else if first.is("subscriptions") {
            match first.key(&mut segments)? {
                None => Resource::Subscriptions,
                Some(id) => below_subscription(id, &mut segments)?,
            }
        } else if !first.is_plain() {
            return Err(first.unknown());
        } else if first.is("me") {
            below_user(UserKey::Me, &mut segments)?
        } else if first.is("communications") {
            below_communications(&mut segments)?
        } else if first.is("$batch") {
            Resource::Batch
        } else if first.is("$metadata") {
            Resource::Metadata
        } else {
            return Err(first.unknown());
        };
        match segments.next()? {
            None => Ok(resource),
            Some(extra) => Err(extra.unknown()),
        }
    }
}

fn below_user<'p>(key: UserKey<'p>, segments: &mut Segments<'p>) -> Result<Resource<'p>, PathError> {
    let Some(presence) = segments.next()? else { return Ok(Resource::User(key)) };
    if !presence.is_plain() || !presence.is("presence") {
        return Err(presence.unknown());
    }
    below_presence(PresencePath { root: Root::Users, key }, segments)
}

fn below_communications<'p>(segments: &mut Segments<'p>) -> Result<Resource<'p>, PathError> {
    let Some(segment) = segments.next()? else { return Err(PathError::Segment("communications".to_owned())) };
    if is_operation(&segment, "getPresencesByUserId") {
        return Ok(Resource::PresencesByUserId);
    }
    if !segment.is("presences") {
        return Err(segment.unknown());
    }
    if segment.is_plain() {
        // Literals beat keys.
        let mut ahead = Segments { rest: segments.rest };
        // A key may have parentheses that no literal has.
        if let Ok(Some(literal)) = ahead.next() {
            if literal.is_plain() && literal.is("$count") {
                *segments = ahead;
                return Ok(Resource::PresencesCount);
            }
            if is_operation(&literal, "delta") {
                *segments = ahead;
                return Ok(Resource::PresencesDelta);
            }
        }
    }
    match segment.key(segments)? {
        None => Ok(Resource::Presences),
        Some(key) => {
            below_presence(PresencePath { root: Root::Communications, key: UserKey::Named(key) }, segments)
        }
    }
}

fn below_presence<'p>(
    path: PresencePath<'p>,
    segments: &mut Segments<'p>,
) -> Result<Resource<'p>, PathError> {
    let Some(segment) = segments.next()? else { return Ok(Resource::Presence(path)) };
    if is_own_function(&segment, "porchlight.explain") {
        return Ok(Resource::Explain(path));
    }
    match Action::ALL.into_iter().find(|action| is_operation(&segment, action.name())) {
        Some(action) => Ok(Resource::Action(path, action)),
        None => Err(segment.unknown()),
    }
}

fn below_subscription<'p>(id: Cow<'p, str>, segments: &mut Segments<'p>) -> Result<Resource<'p>, PathError> {
    let Some(segment) = segments.next()? else { return Ok(Resource::Subscription(id)) };
    if is_operation(&segment, "reauthorize") {
        return Ok(Resource::Reauthorize(id));
    }
    if is_own_function(&segment, "porchlight.deliveries") {
        return Ok(Resource::Deliveries(id));
    }
    Err(segment.unknown())
}

/// A function of our own by its qualified name, with or without `()`.
fn is_own_function(segment: &Segment<'_>, name: &str) -> bool {
    segment.arguments.is_none_or(str::is_empty) && segment.is(name)
}

/// An action or function by its short or its qualified name, with or without `()`.
fn is_operation(segment: &Segment<'_>, name: &str) -> bool {
    const NAMESPACE: &str = "microsoft.graph.";
    let qualified =
        segment.name.get(..NAMESPACE.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAMESPACE));
    let short = if qualified { &segment.name[NAMESPACE.len()..] } else { &segment.name };
    segment.arguments.is_none_or(str::is_empty) && short.eq_ignore_ascii_case(name)
}

/// `/users/me/…` and the placeholder that SDKs put in for `/me` mean the caller.
fn user_key(key: Cow<'_, str>) -> UserKey<'_> {
    if key.eq_ignore_ascii_case("me") || key.eq_ignore_ascii_case("me-token-to-replace") {
        UserKey::Me
    } else {
        UserKey::Named(key)
    }
}

/// The segments of a path that are left.
struct Segments<'p> {
    rest: Option<&'p str>,
}

/// One segment, decoded: `name` or `name(arguments)`.
struct Segment<'p> {
    name: Cow<'p, str>,
    /// What stands between the parentheses, as it was sent.
    arguments: Option<&'p str>,
}

impl<'p> Segments<'p> {
    fn next(&mut self) -> Result<Option<Segment<'p>>, PathError> {
        let Some(raw) = self.take() else { return Ok(None) };
        match split(raw, b'(') {
            None => Ok(Some(Segment { name: decode(raw)?, arguments: None })),
            Some((name, rest)) => {
                let arguments = rest.strip_suffix(')').ok_or(PathError::Malformed(
                    "The request path has an opening parenthesis without a closing one.",
                ))?;
                Ok(Some(Segment { name: decode(name)?, arguments: Some(arguments) }))
            }
        }
    }

    fn take(&mut self) -> Option<&'p str> {
        let rest = self.rest?;
        let (segment, rest) = match split(rest, b'/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(segment)
    }
}

impl<'p> Segment<'p> {
    /// Whether it has this name; fixed segments match without case.
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_plain(&self) -> bool {
        self.arguments.is_none()
    }

    /// The key behind this segment: in its parentheses, else the next segment.
    fn key(&self, segments: &mut Segments<'p>) -> Result<Option<Cow<'p, str>>, PathError> {
        let key = match self.arguments {
            Some(arguments) => unquote(decode(arguments)?)?,
            // A key as a segment may hold parentheses of its own, so it is not split.
            None => match segments.take() {
                None => return Ok(None),
                Some(raw) => decode(raw)?,
            },
        };
        if key.is_empty() {
            Err(PathError::Malformed("The request path has an empty key."))
        } else {
            Ok(Some(key))
        }
    }

    fn unknown(&self) -> PathError {
        PathError::Segment(self.name.clone().into_owned())
    }
}

/// What stands before and behind the first such character, which is ASCII. A path is searched half a dozen times.
fn split(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr::memchr(at, text.as_bytes())?;
    Some((&text[..place], &text[place + 1..]))
}

const CONTROL: PathError = PathError::Malformed("The request path has a control character.");

fn decode(raw: &str) -> Result<Cow<'_, str>, PathError> {
    // Most segments are plain, which one pass over many bytes at a time can tell.
    if raw.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'$' | b'&'..=b'~')) {
        return Ok(Cow::Borrowed(raw));
    }
    let whole = |at: usize| {
        raw.as_bytes().get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    if !raw.match_indices('%').all(|(at, _)| whole(at)) {
        return Err(PathError::Malformed("The request path has a percent sign that encodes nothing."));
    }
    let text = percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| PathError::Malformed("The request path is not UTF-8 once it is decoded."))?;
    if text.chars().any(char::is_control) {
        return Err(CONTROL);
    }
    Ok(text)
}

/// `'it''s'` is `it's`.
fn unquote(quoted: Cow<'_, str>) -> Result<Cow<'_, str>, PathError> {
    const BAD: PathError = PathError::Malformed("A key in parentheses must stand in single quotes.");
    let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or(BAD)?;
    if inner.replace("''", "").contains('\'') {
        return Err(BAD);
    }
    if inner.contains("''") {
        return Ok(Cow::Owned(inner.replace("''", "'")));
    }
    let inner = 1..quoted.len() - 1;
    Ok(match quoted {
        Cow::Borrowed(text) => Cow::Borrowed(&text[inner]),
        Cow::Owned(text) => Cow::Owned(text[inner].to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(root: Root, key: &str) -> PresencePath<'_> {
        PresencePath { root, key: UserKey::Named(Cow::Borrowed(key)) }
    }

    #[test]
    fn every_form_of_a_path_is_read() {
        let me = PresencePath { root: Root::Users, key: UserKey::Me };
        let table = [
            ("", Resource::ServiceDocument),
            ("$metadata", Resource::Metadata),
            ("$BATCH", Resource::Batch),
            ("me", Resource::User(UserKey::Me)),
            ("users/", Resource::Users),
            ("users/me-token-to-replace/presence", Resource::Presence(me.clone())),
            ("ME/Presence/", Resource::Presence(me.clone())),
            ("users/ada%40x.y/presence", Resource::Presence(named(Root::Users, "ada@x.y"))),
            ("users('ada@x.y')/presence", Resource::Presence(named(Root::Users, "ada@x.y"))),
            ("users(%27o''neill%27)/presence", Resource::Presence(named(Root::Users, "o'neill"))),
            ("users/a%2Fb/presence", Resource::Presence(named(Root::Users, "a/b"))),
            ("users/%2561/presence", Resource::Presence(named(Root::Users, "%61"))),
            ("communications/presences('x')", Resource::Presence(named(Root::Communications, "x"))),
            ("communications/presences/x", Resource::Presence(named(Root::Communications, "x"))),
            ("communications/presences", Resource::Presences),
            ("communications/presences/$count", Resource::PresencesCount),
            ("communications/presences/Delta", Resource::PresencesDelta),
            ("communications/presences/microsoft.graph.delta()", Resource::PresencesDelta),
            ("communications/microsoft.graph.getPresencesByUserId()", Resource::PresencesByUserId),
            ("me/presence/microsoft.graph.setPresence", Resource::Action(me.clone(), Action::SetPresence)),
            ("me/presence/CLEARLOCATION()", Resource::Action(me.clone(), Action::ClearLocation)),
            ("me/presence/porchlight.explain", Resource::Explain(me)),
            ("Subscriptions/", Resource::Subscriptions),
            ("subscriptions/6f3b", Resource::Subscription("6f3b".into())),
            ("subscriptions('6f3b')", Resource::Subscription("6f3b".into())),
            ("subscriptions('6f3b')/", Resource::Subscription("6f3b".into())),
            ("subscriptions/6f3b/Reauthorize", Resource::Reauthorize("6f3b".into())),
            ("subscriptions('6f3b')/microsoft.graph.reauthorize()", Resource::Reauthorize("6f3b".into())),
            ("subscriptions/6f3b/porchlight.deliveries", Resource::Deliveries("6f3b".into())),
            ("subscriptions('6f3b')/porchlight.deliveries()", Resource::Deliveries("6f3b".into())),
        ];
        for (path, resource) in table {
            assert_eq!(Resource::parse(path), Ok(resource), "{path}");
        }
    }

    #[test]
    fn bad_paths_are_told_apart() {
        let segment = |name: &str| PathError::Segment(name.to_owned());
        assert_eq!(Resource::parse("nobody"), Err(segment("nobody")));
        assert_eq!(Resource::parse("me/presence/setPresence/more"), Err(segment("more")));
        assert_eq!(Resource::parse("../me"), Err(segment("..")));
        assert_eq!(Resource::parse("subscriptions/x/deliveries"), Err(segment("deliveries")));
        assert_eq!(Resource::parse("subscriptions/x/reauthorize/more"), Err(segment("more")));
        assert_eq!(Resource::parse("/me"), Err(segment("")));
        for path in [
            "users('x",
            "users('x)/presence",
            "users('a'b')",
            "users/%00/presence",
            "users/%zz",
            "users/%ff",
            "users//presence",
            "subscriptions(6f3b)",
            "subscriptions('')",
        ] {
            assert!(matches!(Resource::parse(path), Err(PathError::Malformed(_))), "{path}");
        }
        assert_eq!(split_version("/v2.0/me"), Err(PathError::Version("v2.0".to_owned())));
        assert_eq!(split_version("/V1.0/me"), Ok((Version::V1, "me")));
    }
}
