//! What webhooks are sent. Source: subscriptions-and-auth 13 and 18.

use std::sync::Arc;

use porchlight_engine::{Cause, Origin};
use porchlight_notify::{Event, Item, Letter, Reason, Subscription, Words};
use porchlight_presence::{Presence, UserId};
use serde_json::Value;

use crate::odata::{Part, Select};
use crate::settings::{ODataTypeCase, Profile, Settings};
use crate::wire::date_time::Instant100;
use crate::wire::guid;
use crate::wire::object::{Object, member};
use crate::wire::presence::{self, Reader};

/// What a presence's type is called in Graph's own metadata.
const ODATA_TYPE: &str = "#microsoft.graph.presence";

/// Puts into Graph's words what subscribers are told.
#[derive(Clone, Debug)]
pub struct NotificationWords {
    /// What a notification calls the type of what it is about.
    odata_type: &'static str,
    profile: Profile,
}

impl NotificationWords {
    /// The words that these settings ask for.
    pub fn new(settings: &Settings) -> NotificationWords {
        let odata_type = match settings.odata_type_case {
            ODataTypeCase::Documented => ODATA_TYPE,
            ODataTypeCase::Observed => "#Microsoft.Graph.presence",
        };
        NotificationWords { odata_type, profile: settings.profile }
    }

    /// The members that a subscription is shown. Source: 13.6, 13.7.
    fn members(&self, subscription: &Subscription) -> Select {
        let list = subscription.options.select.as_deref();
        // What cannot be read was never taken.
        let selected = list.and_then(|list| Select::parse(Some(list)).ok());
        let pair = || Select::of(&[Part::Availability, Part::Activity]);
        let members = selected.unwrap_or_else(pair).with(Part::Id);
        if subscription.beta && self.profile == Profile::Open {
            members.with(Part::SequenceNumber)
        } else {
            members
        }
    }

    /// Source: 13.4, 13.5.
    fn write_item(&self, out: &mut Vec<u8>, item: &Item) {
        let subscription = &item.subscription;
        let user = guid::text(item.user.0);
        let user = str::from_utf8(&user).expect("a GUID is ASCII");
        let tenant = guid::text(subscription.tenant.0);
        let mut object = Object::open(out);
        object.digits(member!("id"), guid::text(item.id));
        write_subscription(&mut object, subscription);
        object.text_or_null(member!("clientState"), subscription.client_state.as_deref());
        object.plain(member!("changeType"), "updated");
        object.digits(member!("tenantId"), tenant);
        object.digits(member!("organizationId"), tenant);
        object.pieces(member!("resource"), &["communications/presences('", user, "')"]);
        let mut data = object.object(member!("resourceData"));
        data.plain(member!("@odata.type"), self.odata_type);
        data.pieces(member!("@odata.id"), &["users/", user, "/presence"]);
        data.plain(member!("id"), user);
        if let Some(plain) = &item.plain {
            write_plain(&mut data, plain);
        }
        data.close();
        if let (Some(sealed), Some(certificate)) = (&item.sealed, &subscription.certificate) {
            let mut content = object.object(member!("encryptedContent"));
            content.plain(member!("data"), &sealed.data);
            content.plain(member!("dataSignature"), &sealed.signature);
            content.plain(member!("dataKey"), &sealed.key);
            content.text(member!("encryptionCertificateId"), &certificate.id);
            content.plain(member!("encryptionCertificateThumbprint"), &certificate.thumbprint);
            content.close();
        }
        object.close();
    }
}

impl Words for NotificationWords {
    fn resource(
        &self,
        subscription: &Subscription,
        user: UserId,
        seen: &Presence<'_>,
        origin: Option<Origin>,
    ) -> Vec<u8> {
        let id = guid::text(user.0);
        let id = str::from_utf8(&id).expect("a GUID is ASCII");
        let mut out = Vec::with_capacity(256);
        let mut object = Object::open(&mut out);
        object.pieces(member!("@odata.id"), &["users/", id, "/presence"]);
        object.plain(member!("@odata.type"), ODATA_TYPE);
        presence::write_members(&mut object, user, seen, Reader::Another, &self.members(subscription));
        if let Some(origin) = origin {
            write_origin(&mut object, origin);
        }
        object.close();
        out
    }

    fn notifications(&self, items: &[Item], letters: &[Letter], tokens: &[Arc<str>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 * (items.len() + letters.len() + tokens.len() + 1));
        out.extend_from_slice(b"{\"value\":[");
        for item in items {
            self.write_item(&mut out, item);
            out.push(b',');
        }
        for letter in letters {
            write_letter(&mut out, letter);
            out.push(b',');
        }
        if !(items.is_empty() && letters.is_empty()) {
            out.pop();
        }
        out.push(b']');
        // Omitted when there are none: some receivers stumble over null. Source: 13.4.
        if !tokens.is_empty() {
            let tokens: Vec<&str> = tokens.iter().map(|token| &**token).collect();
            out.extend_from_slice(b",\"validationTokens\":");
            serde_json::to_writer(&mut out, &tokens).expect("a vector takes any number of bytes");
        }
        out.push(b'}');
        out
    }
}

/// What every notification says of its subscription.
fn write_subscription(object: &mut Object<'_>, subscription: &Subscription) {
    object.digits(member!("subscriptionId"), guid::text(subscription.id));
    let end = Instant100 { unix_ms: subscription.expires_at.as_millis(), ticks: subscription.expires_ticks };
    object.date_time(member!("subscriptionExpirationDateTime"), end);
}

/// What a resource in JSON says beyond whose it is, as plain notifications had it once. Source: 13.3.
fn write_plain(data: &mut Object<'_>, resource: &[u8]) {
    let resource: Value = serde_json::from_slice(resource).unwrap_or_default();
    let is_said = |name: &str| ["@odata.id", "@odata.type", "id"].contains(&name);
    for (name, value) in resource.as_object().into_iter().flatten().filter(|(name, _)| !is_said(name)) {
        data.value(name, value);
    }
}

/// Who has made the change, and with what. Source: 13.7.
fn write_origin(object: &mut Object<'_>, origin: Origin) {
    let cause = match origin.cause {
        Cause::Session => "session",
        Cause::Preferred => "preferred",
        Cause::StatusMessage => "statusMessage",
        Cause::OutOfOffice => "outOfOffice",
        Cause::WorkLocation => "workLocation",
        Cause::Person => "person",
        Cause::Expiry => "expiry",
    };
    let mut inner = object.object(member!("@porchlight.triggeredBy"));
    match origin.application {
        Some(application) => inner.digits(member!("applicationId"), guid::text(application.0)),
        None => inner.null(member!("applicationId")),
    }
    inner.plain(member!("cause"), cause);
    inner.close();
}

/// Source: 18.1.
fn write_letter(out: &mut Vec<u8>, letter: &Letter) {
    let subscription = &letter.subscription;
    let mut object = Object::open(out);
    object.digits(member!("id"), guid::text(letter.id));
    write_subscription(&mut object, subscription);
    object.digits(member!("tenantId"), guid::text(subscription.tenant.0));
    object.text_or_null(member!("clientState"), subscription.client_state.as_deref());
    let (event, reason) = match letter.event {
        Event::ReauthorizationRequired => ("reauthorizationRequired", None),
        Event::SubscriptionRemoved(reason) => ("subscriptionRemoved", Some(reason)),
        Event::Missed => ("missed", None),
    };
    object.plain(member!("lifecycleEvent"), event);
    if let Some(reason) = reason {
        object.plain(member!("@porchlight.reason"), reason_name(reason));
    }
    object.close();
}

/// Source: 18.5.
fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Expired => "expired",
        Reason::Revoked => "revoked",
        Reason::UserDisabled => "userDisabled",
        Reason::EndpointGone => "endpointGone",
    }
}

#[cfg(test)]
mod tests {
    use porchlight_notify::{Certificate, Options, Sealed, StoredCursor, Target};
    use porchlight_presence::{
        Activity, ApplicationId, Availability, Pair, Stamps, StatusView, TenantId, Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    const SUBSCRIPTION: Uuid = Uuid::from_u128(0x6f3b_0f8e_9c55_4b0a_8f43_0d7d_3f2b_9a10);
    const TENANT: TenantId = TenantId(Uuid::from_u128(0x9a2f_6c10_5b7e_4a55_8c1d_2f6d_0c9f_1e77));
    const ADA: UserId = UserId(Uuid::from_u128(0x8d1f_7f3e_58ab_4b0e_9d0c_0f6a_1f0f_9a01));
    const ITEM: Uuid = Uuid::from_u128(0x0b9b_7a52_0a5b_4a39_8a3c_6d1c_1e7f_9d40);
    const THUMBPRINT: &str = "16E258BE5644111805AE6A0F9B8F02B9A5FAB1D1";

    /// The subscription of the specification's examples: 6.4.
    fn subscription() -> Subscription {
        Subscription {
            id: SUBSCRIPTION,
            tenant: TENANT,
            application: ApplicationId(Uuid::from_u128(2)),
            creator: Uuid::from_u128(3),
            delegated: true,
            made_at: Timestamp::from_millis(1_800_000_000_000),
            beta: false,
            base: "https://presence.example.org".to_owned(),
            resource: format!("/communications/presences/{ADA}"),
            target: Target::Users(vec![ADA]),
            notification_url: "https://hooks.example.net/presence?src=porch".to_owned(),
            lifecycle_url: None,
            // 2027-01-15T10:55:00Z
            expires_at: Timestamp::from_millis(1_800_010_500_000),
            expires_ticks: 0,
            client_state: Some("b2c9-not-a-real-secret".to_owned()),
            certificate: None,
            latest_tls: "v1_2".to_owned(),
            query_options: None,
            options: Options::default(),
            url_app: None,
            since: StoredCursor::default(),
            renewed_at: Timestamp::from_millis(1_800_000_000_000),
            revoked: false,
            proved_at: Timestamp::from_millis(1_800_000_000_000),
        }
    }

    fn rich() -> Subscription {
        let certificate = Certificate {
            id: "hook-cert-2027-01".to_owned(),
            public_key: Vec::new(),
            thumbprint: THUMBPRINT.to_owned(),
        };
        Subscription { certificate: Some(certificate), ..subscription() }
    }

    fn item(subscription: Subscription) -> Item {
        Item {
            id: ITEM,
            subscription: Arc::new(subscription),
            user: ADA,
            stamp: Timestamp::from_millis(1),
            plain: None,
            sealed: None,
            trace: None,
        }
    }

    fn letter(event: Event) -> Letter {
        let mut letter = Letter::new(Arc::new(subscription()), event, Timestamp::from_millis(1));
        letter.id = ITEM;
        letter
    }

    fn words(change: impl FnOnce(&mut Settings)) -> NotificationWords {
        let mut settings = Settings::default();
        change(&mut settings);
        NotificationWords::new(&settings)
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    /// What an item is up to its resource data, and what that is.
    const BASIC: &str = concat!(
        r#"{"id":"0b9b7a52-0a5b-4a39-8a3c-6d1c1e7f9d40","#,
        r#""subscriptionId":"6f3b0f8e-9c55-4b0a-8f43-0d7d3f2b9a10","#,
        r#""subscriptionExpirationDateTime":"2027-01-15T10:55:00.0000000Z","#,
        r#""clientState":"b2c9-not-a-real-secret","changeType":"updated","#,
        r#""tenantId":"9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77","#,
        r#""organizationId":"9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77","#,
        r#""resource":"communications/presences('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')","#,
        r##""resourceData":{"@odata.type":"#microsoft.graph.presence","##,
        r#""@odata.id":"users/8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01/presence","#,
        r#""id":"8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01""#,
    );

    #[test]
    fn a_basic_notification_is_that_of_the_specification() {
        let words = words(|_| ());
        let sent = text(words.notifications(&[item(subscription())], &[], &[]));
        assert_eq!(sent, format!("{{\"value\":[{BASIC}}}}}]}}"));
        let two = text(words.notifications(&[item(subscription()), item(subscription())], &[], &[]));
        assert_eq!(two, format!("{{\"value\":[{BASIC}}}}},{BASIC}}}}}]}}"));
    }

    #[test]
    fn the_pair_and_the_spelling_of_the_type_are_as_the_settings_say() {
        let plain =
            br##"{"@odata.type":"#x","id":"x","availability":"Busy","activity":"InAMeeting"}"##.to_vec();
        let item = Item { plain: Some(plain), ..item(subscription()) };
        let sent = text(words(|_| ()).notifications(std::slice::from_ref(&item), &[], &[]));
        let pair = r#","availability":"Busy","activity":"InAMeeting""#;
        assert_eq!(sent, format!("{{\"value\":[{BASIC}{pair}}}}}]}}"));
        let upper = words(|settings| settings.odata_type_case = ODataTypeCase::Observed);
        let other = text(upper.notifications(&[item], &[], &[]));
        assert_eq!(other, sent.replace("#microsoft.graph", "#Microsoft.Graph"));
    }

    #[test]
    fn a_rich_notification_is_that_of_the_specification() {
        let sealed =
            Sealed { data: "ZGF0YQ==".to_owned(), signature: "c2ln".to_owned(), key: "a2V5".to_owned() };
        let item = Item { sealed: Some(sealed), ..item(rich()) };
        let sent = text(words(|_| ()).notifications(&[item], &[], &["e.y.J".into()]));
        let content = format!(
            r#","encryptedContent":{{"data":"ZGF0YQ==","dataSignature":"c2ln","dataKey":"a2V5","encryptionCertificateId":"hook-cert-2027-01","encryptionCertificateThumbprint":"{THUMBPRINT}"}}"#
        );
        let tokens = r#","validationTokens":["e.y.J"]"#;
        assert_eq!(sent, format!("{{\"value\":[{BASIC}}}{content}}}]{tokens}}}"));
    }

    #[test]
    fn the_resource_is_that_of_the_specification() {
        let pair = Pair { availability: Availability::Busy, activity: Activity::InAMeeting };
        let stamps = Stamps { changed_at: Timestamp::from_millis(7), ..Stamps::default() };
        let status = StatusView { content: "Hi", published_at: Timestamp::from_millis(5), expiry: None };
        let seen = Presence { pair, stamps, status_message: Some(status), ..Presence::NOTHING };
        let resource = |words: &NotificationWords, subscription: &Subscription| {
            text(words.resource(subscription, ADA, &seen, None))
        };
        let (open, strict) = (words(|_| ()), words(|settings| settings.profile = Profile::Strict));
        let head = concat!(
            r#"{"@odata.id":"users/8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01/presence","#,
            r##""@odata.type":"#microsoft.graph.presence","id":"8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01","##,
        );
        let usual = format!(r#"{head}"availability":"Busy","activity":"InAMeeting"}}"#);
        let beta = Subscription { beta: true, ..rich() };
        assert_eq!(resource(&open, &rich()), usual);
        assert_eq!(resource(&strict, &beta), usual);
        let numbered = usual.replace('}', r#","sequenceNumber":"A00000000000007"}"#);
        assert_eq!(resource(&open, &beta), numbered);
        let options = Options { select: Some("statusMessage,activity".to_owned()), ..Options::default() };
        let selected = Subscription { options, ..rich() };
        let message = r#""statusMessage":{"message":{"content":"Hi","contentType":"text"}}"#;
        assert_eq!(resource(&open, &selected), format!(r#"{head}"activity":"InAMeeting",{message}}}"#));
        let origins = [
            (
                Some(ApplicationId(TENANT.0)),
                Cause::Session,
                format!(r#"{{"applicationId":"{TENANT}","cause":"session"}}"#),
            ),
            (None, Cause::Expiry, r#"{"applicationId":null,"cause":"expiry"}"#.to_owned()),
        ];
        for (application, cause, expected) in origins {
            let told = text(open.resource(&rich(), ADA, &seen, Some(Origin { application, cause })));
            let expected = usual.replace('}', &format!(r#","@porchlight.triggeredBy":{expected}}}"#));
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn word_of_a_subscription_is_that_of_the_specification() {
        let table = [
            (Event::ReauthorizationRequired, r#""reauthorizationRequired""#),
            (Event::Missed, r#""missed""#),
            (
                Event::SubscriptionRemoved(Reason::Expired),
                r#""subscriptionRemoved","@porchlight.reason":"expired""#,
            ),
            (
                Event::SubscriptionRemoved(Reason::Revoked),
                r#""subscriptionRemoved","@porchlight.reason":"revoked""#,
            ),
            (
                Event::SubscriptionRemoved(Reason::EndpointGone),
                r#""subscriptionRemoved","@porchlight.reason":"endpointGone""#,
            ),
        ];
        let head = concat!(
            r#"{"id":"0b9b7a52-0a5b-4a39-8a3c-6d1c1e7f9d40","#,
            r#""subscriptionId":"6f3b0f8e-9c55-4b0a-8f43-0d7d3f2b9a10","#,
            r#""subscriptionExpirationDateTime":"2027-01-15T10:55:00.0000000Z","#,
            r#""tenantId":"9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77","clientState":"b2c9-not-a-real-secret","#,
        );
        for (event, expected) in table {
            let sent = text(words(|_| ()).notifications(&[], &[letter(event)], &[]));
            assert_eq!(sent, format!(r#"{{"value":[{head}"lifecycleEvent":{expected}}}]}}"#));
        }
    }
}
