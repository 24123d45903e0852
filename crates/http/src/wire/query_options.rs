//! `notificationQueryOptions`: what a subscription is told beyond the pair, and how. Source: subscriptions-and-auth 13.7.

use porchlight_notify::Options;

use crate::subscription_error::SubscriptionError;

/// What can be selected.
const MEMBERS: [&str; 5] =
    ["availability", "activity", "statusMessage", "outOfOfficeSettings", "workLocation"];

/// The most seconds that changes are gathered for.
const COALESCE_SECONDS_MAX: u8 = 60;

const BAD: SubscriptionError = SubscriptionError::ValueNotSupported {
    property: "notificationQueryOptions",
    supported: "$select of availability, activity, statusMessage, outOfOfficeSettings and workLocation; \
                initialSnapshot=true; coalesce=0 to 60; excludeSelf=true; each once, with & between them",
};

/// Reads options with `&` between them.
///
/// # Errors
///
/// 400 for an option that is not known or has another value than it can, and for one that is given twice.
pub(crate) fn parse(text: &str) -> Result<Options, SubscriptionError> {
    let (mut options, mut given) = (Options::default(), Vec::new());
    for option in text.split('&').map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or(BAD)?;
        let (name, value) = (name.trim(), value.trim());
        if given.contains(&name) {
            return Err(BAD);
        }
        given.push(name);
        match name {
            "$select" => options.select = Some(select(value)?),
            "initialSnapshot" => options.initial_snapshot = flag(value)?,
            "coalesce" => options.coalesce_seconds = seconds(value)?,
            "excludeSelf" => options.exclude_self = flag(value)?,
            _ => return Err(BAD),
        }
    }
    Ok(options)
}

/// The members, each once, as `$select` has them.
fn select(list: &str) -> Result<String, SubscriptionError> {
    let mut members = Vec::new();
    for member in list.split(',').map(str::trim) {
        if !MEMBERS.contains(&member) {
            return Err(BAD);
        }
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Ok(members.join(","))
}

fn flag(text: &str) -> Result<bool, SubscriptionError> {
    text.parse().map_err(|_| BAD)
}

fn seconds(text: &str) -> Result<u8, SubscriptionError> {
    text.parse::<u8>().ok().filter(|seconds| *seconds <= COALESCE_SECONDS_MAX).ok_or(BAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_whatever_their_order() {
        let none = Options::default();
        let select = |list: &str| Options { select: Some(list.to_owned()), ..Options::default() };
        let all = Options {
            initial_snapshot: true,
            coalesce_seconds: 60,
            exclude_self: true,
            ..select("statusMessage,workLocation")
        };
        let table = [
            ("", none.clone()),
            ("$select=availability", select("availability")),
            ("$select = activity , availability, activity", select("activity,availability")),
            ("initialSnapshot=true", Options { initial_snapshot: true, ..none.clone() }),
            ("initialSnapshot=false&coalesce=0", none.clone()),
            ("coalesce=5", Options { coalesce_seconds: 5, ..none.clone() }),
            ("excludeSelf=true&coalesce=60&$select=statusMessage,workLocation&initialSnapshot=true", all),
        ];
        for (text, options) in table {
            assert_eq!(parse(text), Ok(options), "{text}");
        }
    }

    #[test]
    fn whatever_is_not_known_is_refused() {
        let bad = [
            "$filter=availability eq 'Busy'",
            "$select=",
            "$select=sequenceNumber",
            "$select=statusMessage/message",
            "select=activity",
            "coalesce=61",
            "coalesce=-1",
            "coalesce=",
            "coalesce=1s",
            "initialSnapshot",
            "initialSnapshot=yes",
            "excludeself=true",
            "coalesce=1&coalesce=1",
        ];
        for text in bad {
            assert_eq!(parse(text), Err(BAD), "{text}");
        }
    }
}
