//! A subscription on the wire. Source: subscriptions-and-auth 2, 6.3, 6.4 and 10.

use porchlight_notify::Subscription;
use serde_json::Value;

use crate::subscription_error::SubscriptionError;
use crate::wire::date_time::{self, Instant100};
use crate::wire::guid;
use crate::wire::json::{Json, Object};
use crate::wire::object::{self, member};

/// The properties of a subscription.
const PROPERTIES: [&str; 16] = [
    "id",
    "resource",
    "applicationId",
    "changeType",
    "clientState",
    "notificationUrl",
    "notificationQueryOptions",
    "lifecycleNotificationUrl",
    "expirationDateTime",
    "creatorId",
    "includeResourceData",
    "latestSupportedTlsVersion",
    "encryptionCertificate",
    "encryptionCertificateId",
    "notificationUrlAppId",
    "notificationContentType",
];

/// Those that a PATCH can change. Source: 10.1, 10.3.
const CHANGEABLE: [&str; 4] =
    ["expirationDateTime", "notificationUrl", "encryptionCertificate", "encryptionCertificateId"];

/// Those that only Web Push has. Source: 19.4.
const WEB_PUSH: [&str; 3] = ["vapidPublicKey", "webPushEncryptionP256dhPublicKey", "webPushEncryptionSecret"];

/// How many characters texts may have. Source: 4.5, 4.6, 15.6; the rest so that there is a limit.
pub(crate) const CHARACTERS_MAX: [(&str, usize); 7] = [
    ("notificationUrl", 4096),
    ("lifecycleNotificationUrl", 4096),
    ("clientState", 128),
    ("encryptionCertificate", 16 * 1024),
    ("encryptionCertificateId", 128),
    ("notificationQueryOptions", 1024),
    ("notificationUrlAppId", 128),
];

/// The versions of TLS, on the wire and as the comments of SDKs have them. Source: 2.5.
const TLS_VERSIONS: [[&str; 2]; 4] = [["v1_0", "v10"], ["v1_1", "v11"], ["v1_2", "v12"], ["v1_3", "v13"]];

const JSON: &str = "application/json";

/// What a POST asks for; only names, types and what must be there are checked.
pub(crate) struct Asked<'b> {
    pub(crate) change_type: &'b str,
    pub(crate) notification_url: &'b str,
    pub(crate) lifecycle_url: Option<&'b str>,
    pub(crate) resource: &'b str,
    pub(crate) expires: Instant100,
    pub(crate) client_state: Option<&'b str>,
    pub(crate) includes_resource_data: bool,
    pub(crate) certificate: Option<&'b str>,
    pub(crate) certificate_id: Option<&'b str>,
    pub(crate) latest_tls: &'static str,
    pub(crate) query_options: Option<&'b str>,
    pub(crate) url_app: Option<&'b str>,
}

/// What a PATCH asks for.
pub(crate) struct Changes<'b> {
    pub(crate) expires: Option<Instant100>,
    pub(crate) notification_url: Option<&'b str>,
    /// A certificate and its id.
    pub(crate) certificate: Option<(&'b str, &'b str)>,
}

impl<'b> Asked<'b> {
    /// Reads the body of a POST.
    ///
    /// # Errors
    ///
    /// E2, E3.
    pub(crate) fn read(body: &'b Object<'_>) -> Result<Asked<'b>, SubscriptionError> {
        check_names(body)?;
        let (change_type, notification_url) = (string(body, "changeType")?, string(body, "notificationUrl")?);
        let (resource, expires) = (string(body, "resource")?, instant(body)?);
        let lifecycle_url = string(body, "lifecycleNotificationUrl")?;
        let client_state = string(body, "clientState")?;
        let includes_resource_data =
            body.bool("includeResourceData").map_err(|_| payload("includeResourceData"))?;
        let (certificate, certificate_id) = certificate(body)?;
        let latest_tls = string(body, "latestSupportedTlsVersion")?.unwrap_or("v1_2");
        let query_options = string(body, "notificationQueryOptions")?;
        let url_app = string(body, "notificationUrlAppId")?;
        let content_type = string(body, "notificationContentType")?;
        let required = |text: Option<&'b str>, property| {
            text.filter(|text| !text.is_empty()).ok_or(SubscriptionError::Missing(property))
        };
        let asked = Asked {
            change_type: required(change_type, "changeType")?,
            notification_url: required(notification_url, "notificationUrl")?,
            lifecycle_url,
            resource: required(resource, "resource")?,
            expires: expires.ok_or(SubscriptionError::Missing("expirationDateTime"))?,
            client_state,
            includes_resource_data: includes_resource_data.unwrap_or(false),
            certificate,
            certificate_id,
            latest_tls: tls_version(latest_tls)?,
            query_options,
            url_app,
        };
        if content_type.is_some_and(|content_type| !content_type.eq_ignore_ascii_case(JSON)) {
            let property = "notificationContentType";
            return Err(SubscriptionError::ValueNotSupported { property, supported: JSON });
        }
        Ok(asked)
    }
}

impl<'b> Changes<'b> {
    /// Reads the body of a PATCH of this subscription.
    ///
    /// # Errors
    ///
    /// E2, E15, and 400 for what cannot be changed.
    pub(crate) fn read(
        body: &'b Object<'_>,
        stored: &Subscription,
    ) -> Result<Changes<'b>, SubscriptionError> {
        check_names(body)?;
        check_the_rest_stays(body, stored)?;
        let fixed = |property: &str| SubscriptionError::Fixed(property.to_owned());
        let certificate = match (&stored.certificate, certificate(body)?) {
            (_, (None, None)) => None,
            (None, (Some(_), _)) => return Err(fixed("encryptionCertificate")),
            (None, (None, Some(_))) => return Err(fixed("encryptionCertificateId")),
            (Some(stored), (None, Some(id))) if id == stored.id => None,
            (Some(_), (Some(certificate), Some(id))) => Some((certificate, id)),
            (Some(_), _) => return Err(SubscriptionError::CertificateMissing),
        };
        let notification_url = string(body, "notificationUrl")?;
        Ok(Changes { expires: instant(body)?, notification_url, certificate })
    }
}

/// Refuses a text that is too long.
///
/// # Errors
///
/// E5.
pub(crate) fn check_lengths(body: &Object<'_>) -> Result<(), SubscriptionError> {
    for (property, max) in CHARACTERS_MAX {
        if let Some(Json::String(text)) = body.value(property)
            && text.chars().count() > max
        {
            return Err(SubscriptionError::TooLong { property, max });
        }
    }
    Ok(())
}

/// Appends the subscription as a JSON object. Whoever made it is shown `clientState`, and only then. Source: 2.3, 2.4.
pub(crate) fn write(
    out: &mut Vec<u8>,
    subscription: &Subscription,
    context: Option<&str>,
    client_state: Option<&str>,
) {
    let mut object = object::Object::open(out);
    if let Some(context) = context {
        object.text(member!("@odata.context"), context);
    }
    object.digits(member!("id"), guid::text(subscription.id));
    object.text(member!("resource"), &subscription.resource);
    object.digits(member!("applicationId"), guid::text(subscription.application.0));
    object.plain(member!("changeType"), "updated");
    object.text_or_null(member!("clientState"), client_state);
    object.text(member!("notificationUrl"), &subscription.notification_url);
    object.text_or_null(member!("notificationQueryOptions"), subscription.query_options.as_deref());
    object.text_or_null(member!("lifecycleNotificationUrl"), subscription.lifecycle_url.as_deref());
    let end = Instant100 { unix_ms: subscription.expires_at.as_millis(), ticks: subscription.expires_ticks };
    object.date_time(member!("expirationDateTime"), end);
    object.digits(member!("creatorId"), guid::text(subscription.creator));
    let certificate = subscription.certificate.as_ref();
    object.raw(member!("includeResourceData"), if certificate.is_some() { "true" } else { "false" });
    object.text(member!("latestSupportedTlsVersion"), &subscription.latest_tls);
    object.null(member!("encryptionCertificate"));
    let certificate_id = certificate.map(|certificate| certificate.id.as_str());
    object.text_or_null(member!("encryptionCertificateId"), certificate_id);
    object.text_or_null(member!("notificationUrlAppId"), subscription.url_app.as_deref());
    object.plain(member!("notificationContentType"), JSON);
    object.close();
}

/// Refuses names that no subscription has, and what is for Web Push; annotations have an `@`. Source: 1.3.
fn check_names(body: &Object<'_>) -> Result<(), SubscriptionError> {
    for (name, value) in body.members() {
        if let Some(property) = WEB_PUSH.into_iter().find(|property| *property == name) {
            if *value != Json::Null {
                return Err(SubscriptionError::PropertyNotSupported(property));
            }
        } else if !name.contains('@') && !PROPERTIES.contains(&name) {
            return Err(payload(name));
        }
    }
    Ok(())
}

/// Refuses other values than the stored ones where nothing can be changed. Source: 10.4.
fn check_the_rest_stays(body: &Object<'_>, stored: &Subscription) -> Result<(), SubscriptionError> {
    let mut written = Vec::new();
    write(&mut written, stored, None, stored.client_state.as_deref());
    let stored: Value = serde_json::from_slice(&written).unwrap_or_default();
    let fixed = |name: &str| PROPERTIES.contains(&name) && !CHANGEABLE.contains(&name);
    for (name, value) in body.members().filter(|(name, value)| fixed(name) && **value != Json::Null) {
        if stored.get(name) != Some(&value.to_value()) {
            return Err(SubscriptionError::Fixed(name.to_owned()));
        }
    }
    Ok(())
}

fn payload(property: &str) -> SubscriptionError {
    SubscriptionError::Payload(property.to_owned())
}

fn string<'b>(body: &'b Object<'_>, property: &'static str) -> Result<Option<&'b str>, SubscriptionError> {
    body.string(property).map_err(|_| payload(property))
}

/// The certificate and its id; samples write an empty text where there is none. Source: 2.4.
fn certificate<'b>(body: &'b Object<'_>) -> Result<(Option<&'b str>, Option<&'b str>), SubscriptionError> {
    let text = |property| string(body, property).map(|text| text.filter(|text| !text.is_empty()));
    Ok((text("encryptionCertificate")?, text("encryptionCertificateId")?))
}

/// The wished end. Source: 2.6.
fn instant(body: &Object<'_>) -> Result<Option<Instant100>, SubscriptionError> {
    const PROPERTY: &str = "expirationDateTime";
    let text = string(body, PROPERTY)?;
    text.map(date_time::parse_with_offset).transpose().map_err(|_| payload(PROPERTY))
}

fn tls_version(text: &str) -> Result<&'static str, SubscriptionError> {
    let known = TLS_VERSIONS.into_iter().find(|spellings| spellings.contains(&text));
    known.map(|[version, _]| version).ok_or(SubscriptionError::ValueNotSupported {
        property: "latestSupportedTlsVersion",
        supported: "v1_0, v1_1, v1_2, v1_3",
    })
}

#[cfg(test)]
mod tests {
    use porchlight_notify::{Certificate, Options, StoredCursor, Target};
    use porchlight_presence::{ApplicationId, TenantId, Timestamp};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// The body of a POST, with what else is given.
    fn body(more: &Value) -> Vec<u8> {
        let mut body = json!({
            "changeType": "updated",
            "notificationUrl": "https://hooks.example.net/presence",
            "resource": "communications/presences",
            "expirationDateTime": "2027-01-15T10:55:00.1234567Z",
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string().into_bytes()
    }

    /// What is wrong with it.
    fn refused(body: &[u8]) -> Option<SubscriptionError> {
        Asked::read(&Json::parse(body).unwrap().into_object().unwrap()).err()
    }

    fn stored() -> Subscription {
        Subscription {
            id: Uuid::from_u128(1),
            tenant: TenantId(Uuid::from_u128(2)),
            application: ApplicationId(Uuid::from_u128(3)),
            creator: Uuid::from_u128(4),
            delegated: false,
            made_at: Timestamp::from_millis(0),
            beta: false,
            base: String::new(),
            resource: "communications/presences".to_owned(),
            target: Target::Everybody,
            notification_url: "https://hooks.example.net/presence".to_owned(),
            lifecycle_url: None,
            expires_at: Timestamp::from_millis(1_800_010_500_123),
            expires_ticks: 4567,
            client_state: Some("secret".to_owned()),
            certificate: None,
            latest_tls: "v1_3".to_owned(),
            query_options: None,
            options: Options::default(),
            url_app: None,
            since: StoredCursor::default(),
            renewed_at: Timestamp::from_millis(0),
            revoked: false,
            proved_at: Timestamp::from_millis(0),
        }
    }

    fn rich() -> Subscription {
        let certificate =
            Certificate { id: "one".to_owned(), public_key: Vec::new(), thumbprint: String::new() };
        Subscription { certificate: Some(certificate), ..stored() }
    }

    /// Whether a PATCH moves the end and the URL, and the certificate with its id.
    fn changes(
        subscription: &Subscription,
        body: &Value,
    ) -> Result<(bool, bool, Option<String>), SubscriptionError> {
        let body = body.to_string();
        let body = Json::parse(body.as_bytes()).unwrap().into_object().unwrap();
        let changes = Changes::read(&body, subscription)?;
        let certificate = changes.certificate.map(|(text, id)| format!("{text} {id}"));
        Ok((changes.expires.is_some(), changes.notification_url.is_some(), certificate))
    }

    #[test]
    fn a_subscription_is_written_as_in_the_specification() {
        let mut out = Vec::new();
        write(&mut out, &rich(), Some("https://x/v1.0/$metadata#subscriptions/$entity"), Some("secret"));
        let written: Value = serde_json::from_slice(&out).unwrap();
        let mut expected = json!({
            "@odata.context": "https://x/v1.0/$metadata#subscriptions/$entity",
            "id": "00000000-0000-0000-0000-000000000001",
            "resource": "communications/presences",
            "applicationId": "00000000-0000-0000-0000-000000000003",
            "changeType": "updated",
            "clientState": "secret",
            "notificationUrl": "https://hooks.example.net/presence",
            "notificationQueryOptions": null,
            "lifecycleNotificationUrl": null,
            "expirationDateTime": "2027-01-15T10:55:00.1234567Z",
            "creatorId": "00000000-0000-0000-0000-000000000004",
            "includeResourceData": true,
            "latestSupportedTlsVersion": "v1_3",
            "encryptionCertificate": null,
            "encryptionCertificateId": "one",
            "notificationUrlAppId": null,
            "notificationContentType": "application/json",
        });
        assert_eq!(written, expected);
        out.clear();
        write(&mut out, &stored(), None, None);
        let written: Value = serde_json::from_slice(&out).unwrap();
        for (name, value) in [
            ("clientState", Value::Null),
            ("includeResourceData", false.into()),
            ("encryptionCertificateId", Value::Null),
        ] {
            expected[name] = value;
        }
        expected.as_object_mut().unwrap().remove("@odata.context");
        assert_eq!(written, expected);
        let names: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, PROPERTIES);
    }

    #[test]
    fn a_post_is_read_and_what_is_wrong_with_it_named() {
        let full = body(&json!({
            "id": 5,
            "@odata.type": "#microsoft.graph.subscription",
            "clientState": null,
            "includeResourceData": true,
            "encryptionCertificate": "",
            "latestSupportedTlsVersion": "v13",
            "notificationContentType": "Application/JSON",
            "vapidPublicKey": null,
        }));
        let full = Json::parse(&full).unwrap().into_object().unwrap();
        let asked = Asked::read(&full).unwrap();
        assert_eq!((asked.latest_tls, asked.includes_resource_data), ("v1_3", true));
        assert_eq!((asked.client_state, asked.certificate), (None, None));
        assert_eq!((asked.expires.unix_ms, asked.expires.ticks), (1_800_010_500_123, 4567));
        let table = [
            (json!({"notificationURL": "https://x"}), payload("notificationURL")),
            (json!({"changeType": 1}), payload("changeType")),
            (json!({"includeResourceData": "true"}), payload("includeResourceData")),
            (json!({"expirationDateTime": "2027-01-15T10:55:00"}), payload("expirationDateTime")),
            (json!({"resource": null}), SubscriptionError::Missing("resource")),
            (json!({"changeType": ""}), SubscriptionError::Missing("changeType")),
            (json!({"expirationDateTime": null}), SubscriptionError::Missing("expirationDateTime")),
            (json!({"vapidPublicKey": "x"}), SubscriptionError::PropertyNotSupported("vapidPublicKey")),
        ];
        for (more, error) in table {
            assert_eq!(refused(&body(&more)), Some(error), "{more}");
        }
        for more in [json!({"latestSupportedTlsVersion": "v2"}), json!({"notificationContentType": "x"})] {
            let error = refused(&body(&more));
            assert!(matches!(error, Some(SubscriptionError::ValueNotSupported { .. })), "{more}");
        }
    }

    #[test]
    fn texts_have_their_limits_in_characters() {
        for (property, max) in CHARACTERS_MAX {
            let checked = |length: usize| {
                let body = json!({property: "ü".repeat(length)}).to_string();
                check_lengths(&Json::parse(body.as_bytes()).unwrap().into_object().unwrap())
            };
            assert_eq!(checked(max), Ok(()), "{property}");
            assert_eq!(checked(max + 1), Err(SubscriptionError::TooLong { property, max }), "{property}");
        }
    }

    #[test]
    fn a_patch_changes_what_it_can_and_leaves_the_rest() {
        let fixed = |name: &str| Err(SubscriptionError::Fixed(name.to_owned()));
        let mut whole = Vec::new();
        write(&mut whole, &rich(), Some("https://x/$metadata"), Some("secret"));
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(changes(&rich(), &whole), Ok((true, true, None)));
        let table = [
            (stored(), json!({}), Ok((false, false, None))),
            (stored(), json!({"expirationDateTime": "2027-01-15T10:55Z"}), Ok((true, false, None))),
            (stored(), json!({"clientState": "other"}), fixed("clientState")),
            (stored(), json!({"resource": "communications/presences/"}), fixed("resource")),
            (stored(), json!({"lifecycleNotificationUrl": "https://x"}), fixed("lifecycleNotificationUrl")),
            (stored(), json!({"encryptionCertificate": "x"}), fixed("encryptionCertificate")),
            (stored(), json!({"encryptionCertificateId": "x"}), fixed("encryptionCertificateId")),
            (stored(), json!({"encryptionCertificate": ""}), Ok((false, false, None))),
            (
                rich(),
                json!({"encryptionCertificate": "x", "encryptionCertificateId": "two"}),
                Ok((false, false, Some("x two".to_owned()))),
            ),
            (rich(), json!({"encryptionCertificate": "x"}), Err(SubscriptionError::CertificateMissing)),
            (rich(), json!({"encryptionCertificateId": "two"}), Err(SubscriptionError::CertificateMissing)),
            (rich(), json!({"notificationUrl": 1}), Err(payload("notificationUrl"))),
            (rich(), json!({"clientstate": null}), Err(payload("clientstate"))),
        ];
        for (subscription, body, expected) in table {
            assert_eq!(changes(&subscription, &body), expected, "{body}");
        }
    }
}
