//! Why a subscription is not made or not changed: subscriptions-and-auth 7 and 8, row by row.
//!
//! A test whose name begins with `s8_e` and a number is about that row of 8.2.

use http::Method;
use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, APP_B, Answer, BEN, Egress, Receiver, START, TestServer, Validation};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::subscriptions_support::{
    CERTIFICATE, NOT_FOUND, SUBSCRIPTIONS, TENANT, ben_of_a, from_now, id_of, in_base64, listed, made, many,
    millis, order, path_of, set, single, subscribe, whose, with, without,
};
use crate::support::{NOBODY, ada, ben, done_without_content, hours, members, minutes, refused, seconds};

const E1: &str = "400 BadRequest Unable to read JSON request payload. Please ensure Content-Type header is set and \
                  payload is of valid JSON format.";
const E2: &str = "400 InvalidRequest Could not process subscription creation payload. Are all property names spelled \
                  and camelCased properly?";
const E7: &str = "400 ExtensionError Subscription expiration can only be 60 minutes in the future.";
const E8: &str = "400 InvalidRequest Subscription expiration must be in the future.";
const E9: &str = "400 ExtensionError Operation: Create; Exception: [Status Code: BadRequest; Reason: Unsupported \
                  workload.]";
const E10: &str = "400 ExtensionError Operation: Create; Exception: [Status Code: BadRequest; Reason: Invalid filter \
                   clause.]";
const E13: &str = "403 ExtensionError Operation: Create; Exception: [Status Code: Forbidden; Reason: The request is \
                   not authorized for this user or application.]";
const E14: &str = "400 InvalidRequest Certificate validation error: Cannot find the requested object.";
const E15: &str = "400 InvalidRequest The 'encryptionCertificate' and 'encryptionCertificateId' properties are \
                   required when 'includeResourceData' is true.";
const E17: &str = "409 ExtensionError Operation: Create; Exception: [Status Code: Conflict; Reason: A subscripton \
                   already exists. It must be deleted before a another can be made.]";
const E19: &str = "400 ValidationError Subscription validation request failed. Notification endpoint must respond \
                   with 200 OK to validation request.";
const E20: &str = "400 ValidationError Subscription validation request failed. Response must exactly match \
                   validationToken query parameter.";
const E21: &str = "400 ValidationError Subscription validation request timed out.";
const E22: &str = "400 InvalidRequest Subscription must contain either the 'expirationDateTime' or \
                   'notificationUrl' property and its value.";

fn required(name: &str) -> String {
    format!("400 InvalidRequest The '{name}' property is required for subscription creation.")
}

fn no_url(name: &str) -> String {
    format!("400 InvalidRequest The '{name}' value must be an absolute HTTPS URL.")
}

fn too_long(name: &str, max: usize) -> String {
    format!("400 InvalidRequest The '{name}' value exceeds the maximum length of {max} characters.")
}

fn too_many_users(max: usize) -> String {
    format!(
        "400 ExtensionError Operation: Create; Exception: [Status Code: BadRequest; Reason: A maximum of {max} users \
         is allowed in one presence subscription.]"
    )
}

/// A server, a receiver, and an order that Ada may make of the one to the other.
struct Scene {
    server: TestServer,
    receiver: Receiver,
    order: Value,
}

impl Scene {
    async fn new(server: TestServer) -> Scene {
        let receiver = Receiver::start().await;
        let order = order(&server, &receiver.url("/hook"), &single(BEN));
        Scene { server, receiver, order }
    }

    async fn open() -> Scene {
        Scene::new(TestServer::start().await).await
    }

    async fn strict() -> Scene {
        Scene::new(TestServer::builder().profile(Profile::Strict).start().await).await
    }

    /// The good order with another member.
    fn with(&self, name: &str, value: impl Into<Value>) -> Value {
        with(self.order.clone(), name, value)
    }

    /// The good order for notifications with resources.
    fn rich(&self) -> Value {
        let order = with(self.with("includeResourceData", true), "encryptionCertificateId", "id");
        with(order, "encryptionCertificate", in_base64(CERTIFICATE))
    }

    /// What Ada is answered.
    async fn post(&self, order: &Value) -> Answer {
        ada(&self.server).post(SUBSCRIPTIONS, order).await
    }

    /// Ada may have this, too; it is deleted again.
    async fn is_good(&self, order: &Value) {
        let shown = made(&self.post(order).await);
        done_without_content(&ada(&self.server).delete(&path_of(&shown)).await);
    }

    /// Nothing was made, and nobody asked.
    async fn is_untouched(&self) {
        assert_eq!(listed(&ada(&self.server)).await, Vec::<String>::new());
        assert_eq!(self.receiver.validations().len(), 0);
    }
}

#[tokio::test]
async fn s8_e1_what_is_no_json_is_refused() {
    let scene = Scene::open().await;
    let client = ada(&scene.server).header("content-type", "application/json");
    for body in ["nonsense", "{", r#"{"changeType": "updated",}"#, r#"{"resource": 'x'}"#] {
        refused(&client.call(Method::POST, SUBSCRIPTIONS, Some(body)).await, E1);
    }
    for content_type in ["application/json", "APPLICATION/JSON; charset=utf-8"] {
        let client = ada(&scene.server).header("content-type", content_type);
        let answer = client.call(Method::POST, SUBSCRIPTIONS, Some(scene.order.to_string())).await;
        done_without_content(&ada(&scene.server).delete(&path_of(&made(&answer))).await);
    }
}

#[tokio::test]
async fn s8_e2_a_name_that_nobody_knows_is_refused_but_for_annotations() {
    for scene in [Scene::open().await, Scene::strict().await] {
        for name in ["changetype", "ChangeType", "notificationurl", "expirationDatetime", "anything"] {
            refused(&scene.post(&scene.with(name, "updated")).await, E2);
        }
        scene.is_untouched().await;
    }
    let scene = Scene::open().await;
    scene.is_good(&scene.with("@odata.type", "#microsoft.graph.subscription")).await;
    scene.is_good(&scene.with("resource@anything", json!({"at": "all"}))).await;
}

#[tokio::test]
async fn s8_e2_a_value_of_another_type_is_refused() {
    let scene = Scene::open().await;
    let table = [
        ("changeType", json!(5)),
        ("changeType", json!(["updated"])),
        ("notificationUrl", json!(["https://hooks.example.net/"])),
        ("lifecycleNotificationUrl", json!(false)),
        ("resource", json!({})),
        ("expirationDateTime", json!(START)),
        ("expirationDateTime", json!("soon")),
        ("expirationDateTime", json!("2026-11-20")),
        ("expirationDateTime", json!("2026-11-20T09:50:00")),
        ("expirationDateTime", json!("2026-11-20T09:50:00.0000000")),
        ("expirationDateTime", json!("2026-11-31T09:50:00Z")),
        ("clientState", json!(7)),
        ("includeResourceData", json!("true")),
        ("encryptionCertificate", json!(1)),
        ("encryptionCertificateId", json!({})),
        ("latestSupportedTlsVersion", json!(true)),
        ("notificationQueryOptions", json!([])),
        ("notificationUrlAppId", json!(8)),
    ];
    for (name, value) in table {
        let answer = scene.post(&scene.with(name, value.clone())).await;
        assert_eq!(answer.error(), E2, "{name}: {value}");
        refused(&answer, E2);
    }
    scene.is_untouched().await;
}

#[tokio::test]
async fn s8_e3_what_is_required_is_named() {
    let scene = Scene::open().await;
    for name in ["changeType", "notificationUrl", "resource", "expirationDateTime"] {
        refused(&scene.post(&without(scene.order.clone(), name)).await, &required(name));
        refused(&scene.post(&scene.with(name, Value::Null)).await, &required(name));
    }
    scene.is_untouched().await;
}

/// subscriptions-and-auth 7.8, 19.1, 19.2; case T17 of 30.
#[tokio::test]
async fn s8_e4_an_endpoint_must_be_an_https_url_that_the_policy_allows() {
    let server = TestServer::builder().notify(|settings| settings.egress = Egress::default()).start().await;
    let scene = Scene::new(server).await;
    // The receiver's own URL would not do here.
    let order = scene.with("notificationUrl", "https://hooks.example.net/");
    let urls = [
        "http://hooks.example.net/",
        "ftp://hooks.example.net/",
        "hooks.example.net/presence",
        "//hooks.example.net/",
        "/presence",
        "presence",
        "https://",
        "https:///presence",
        "https://hooks.example.net:25/",
        "https://hooks.example.net:8080/",
        "https://127.0.0.1/",
        "https://127.1.2.3:8443/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[ff02::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "EventHub:https://vault.vault.azure.net/secrets/secret?tenantId=example.net",
        "EventGrid:?azuresubscriptionid=x&resourcegroup=y&partnertopic=z&location=w",
    ];
    for url in urls {
        for name in ["notificationUrl", "lifecycleNotificationUrl"] {
            let answer = scene.post(&with(order.clone(), name, url)).await;
            assert_eq!(answer.error(), no_url(name), "{url}: {answer:?}");
            refused(&answer, &no_url(name));
        }
    }
    scene.is_untouched().await;
}

#[tokio::test]
async fn s8_e4_development_allows_this_machine_but_not_the_network_around_it() {
    let scene = Scene::open().await;
    let shown = made(&scene.post(&scene.order).await);
    for url in
        ["http://10.0.0.1/", "https://192.168.1.1/", "http://169.254.169.254/", "ftp://127.0.0.1/", "x"]
    {
        refused(&scene.post(&scene.with("notificationUrl", url)).await, &no_url("notificationUrl"));
        let patched = ada(&scene.server).patch(&path_of(&shown), &json!({"notificationUrl": url})).await;
        refused(&patched, &no_url("notificationUrl"));
    }
}

#[tokio::test]
async fn s8_e5_long_texts_are_refused() {
    let scene = Scene::open().await;
    for letter in ["x", "\u{e9}"] {
        scene.is_good(&scene.with("clientState", letter.repeat(128))).await;
        let answer = scene.post(&scene.with("clientState", letter.repeat(129))).await;
        refused(&answer, &too_long("clientState", 128));
        scene.is_good(&with(scene.rich(), "encryptionCertificateId", letter.repeat(128))).await;
        let answer = scene.post(&with(scene.rich(), "encryptionCertificateId", letter.repeat(129))).await;
        refused(&answer, &too_long("encryptionCertificateId", 128));
    }
    let answer = scene.post(&with(scene.rich(), "encryptionCertificate", "A".repeat(16 * 1024 + 1))).await;
    refused(&answer, &too_long("encryptionCertificate", 16 * 1024));
}

#[tokio::test]
async fn s8_e6_only_updates_are_told() {
    let scene = Scene::open().await;
    for change_type in ["created", "deleted", "created,updated", "updated,deleted", "anything"] {
        let expected = format!(
            "400 InvalidRequest The changeType '{change_type}' is not supported for this resource. Supported: updated."
        );
        refused(&scene.post(&scene.with("changeType", change_type)).await, &expected);
    }
    scene.is_untouched().await;
}

#[tokio::test]
async fn s8_e7_a_life_is_no_longer_than_allowed() {
    let scene = Scene::open().await;
    scene.is_good(&scene.with("expirationDateTime", from_now(&scene.server, hours(1)))).await;
    let later = from_now(&scene.server, hours(1) + millis(1));
    refused(&scene.post(&scene.with("expirationDateTime", later.as_str())).await, E7);
    let shown = made(&scene.post(&scene.order).await);
    let patched = ada(&scene.server).patch(&path_of(&shown), &json!({"expirationDateTime": later})).await;
    refused(&patched, E7);
}

/// subscriptions-and-auth 4.4, 4.8
#[tokio::test]
async fn s8_e7_a_longer_life_can_be_allowed_and_then_needs_a_place_to_announce_its_end() {
    let server = TestServer::builder().notify(|settings| settings.lifetime_max = hours(72)).start().await;
    let scene = Scene::new(server).await;
    let three_days = scene.with("expirationDateTime", from_now(&scene.server, hours(72)));
    let answer = scene.post(&three_days).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.error().contains("lifecycleNotificationUrl"), "{answer:?}");
    let three_days = with(three_days, "lifecycleNotificationUrl", scene.receiver.url("/lifecycle"));
    scene.is_good(&three_days).await;
    let later = from_now(&scene.server, hours(72) + minutes(1));
    let answer = scene.post(&with(three_days, "expirationDateTime", later)).await;
    refused(&answer, "400 ExtensionError Subscription expiration can only be 4320 minutes in the future.");
}

#[tokio::test]
async fn s8_e8_an_end_lies_in_the_future() {
    for scene in [Scene::open().await, Scene::strict().await] {
        for end in ["2026-11-20T09:00:00Z", "2026-11-20T08:59:59.9999999Z", "2020-01-01T00:00:00+14:00"] {
            refused(&scene.post(&scene.with("expirationDateTime", end)).await, E8);
        }
        scene.is_untouched().await;
        let shown = made(&scene.post(&scene.order).await);
        let end = json!({"expirationDateTime": "2026-11-20T08:00:00Z"});
        refused(&ada(&scene.server).patch(&path_of(&shown), &end).await, E8);
    }
}

/// subscriptions-and-auth 3.5
#[tokio::test]
async fn s8_e9_other_resources_are_not_supported() {
    let scene = Scene::open().await;
    let strict = Scene::strict().await;
    for resource in ["me/messages", "users", "communications/calls", "/chats/getAllMessages", "me", "nowhere"]
    {
        refused(&scene.post(&scene.with("resource", resource)).await, E9);
        refused(&strict.post(&strict.with("resource", resource)).await, E9);
    }
    for resource in
        ["me/presence".to_owned(), format!("users/{BEN}/presence"), format!("/users/{ADA}/presence")]
    {
        scene.is_good(&scene.with("resource", resource.as_str())).await;
        refused(&strict.post(&strict.with("resource", resource)).await, E9);
    }
    // An application is nobody.
    let app = scene.server.client(&format!("{APP_A}:"));
    assert_eq!(app.post(SUBSCRIPTIONS, &scene.with("resource", "me/presence")).await.status, 400);
    strict.is_untouched().await;
}

/// subscriptions-and-auth 3.2, 3.3, 3.6
#[tokio::test]
async fn s8_e10_a_filter_names_ids_and_nothing_else() {
    let scene = Scene::open().await;
    let strict = Scene::strict().await;
    let queries = [
        "?$filter=".to_owned(),
        "?$filter=id in ()".to_owned(),
        format!("?$filter=id in ('{ADA}'"),
        format!("?$filter=id in ('{ADA}',)"),
        format!("?$filter=id in ('{ADA}' '{BEN}')"),
        format!("?$filter=id in ('{ADA}','{BEN}') and availability eq 'Busy'"),
        format!("?$filter=id ne '{ADA}'"),
        "?$filter=id in ('ada')".to_owned(),
        "?$filter=availability eq 'Busy'".to_owned(),
        "?$select=availability".to_owned(),
        format!("/{ADA}?$select=availability"),
        format!("?$filter=id eq '{ADA}'&$select=availability"),
    ];
    for query in queries {
        let resource = format!("communications/presences{query}");
        refused(&scene.post(&scene.with("resource", resource.as_str())).await, E10);
        refused(&strict.post(&strict.with("resource", resource)).await, E10);
    }
    let bare = format!("communications/presences?$filter=id in ({ADA},{BEN})");
    scene.is_good(&scene.with("resource", bare.as_str())).await;
    refused(&strict.post(&strict.with("resource", bare)).await, E10);
}

/// subscriptions-and-auth 3.7
#[tokio::test]
async fn under_strict_nobody_subscribes_to_everybody() {
    let (scene, strict) = (Scene::open().await, Scene::strict().await);
    scene.is_good(&scene.with("resource", "communications/presences")).await;
    let answer = strict.post(&strict.with("resource", "communications/presences")).await;
    assert!(answer.error().starts_with("400 ExtensionError Operation: Create; Exception: "), "{answer:?}");
}

#[tokio::test]
async fn s8_e11_a_subscription_has_so_many_distinct_users_and_no_more() {
    let server = TestServer::builder().notify(|settings| settings.users_max = 3).start().await;
    let scene = Scene::new(server).await;
    let ids: Vec<String> = (0..4).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let twice = [&ids[..3], &ids[..3]].concat();
    scene.is_good(&scene.with("resource", many(&twice))).await;
    refused(&scene.post(&scene.with("resource", many(&ids))).await, &too_many_users(3));
}

/// The limits of the original, one after another.
#[tokio::test]
async fn s30_t4_strict_refuses_what_the_original_refuses() {
    let scene = Scene::strict().await;
    let ids: Vec<String> = (0..651).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    refused(&scene.post(&scene.with("resource", many(&ids))).await, &too_many_users(650));
    let late = from_now(&scene.server, minutes(61));
    refused(&scene.post(&scene.with("expirationDateTime", late)).await, E7);
    let app = scene.server.client(&format!("{APP_A}:"));
    refused(&app.post(SUBSCRIPTIONS, &scene.order).await, E13);
    refused(&scene.post(&scene.with("resource", "me/presence")).await, E9);
    scene.is_untouched().await;

    let soon = from_now(&scene.server, minutes(10));
    let order = with(scene.with("resource", many(&ids[..650])), "expirationDateTime", soon.as_str());
    let first = made(&scene.post(&order).await);
    assert_eq!(first["expirationDateTime"], "2026-11-20T09:45:00.0000000Z");
    refused(&scene.post(&scene.order).await, E17);
    let again = scene.post(&order).await;
    let expected = format!(
        "409 ObjectIdentifierInUse Subscription Id {} already exists for the requested combination",
        id_of(&first)
    );
    refused(&again, &expected);
    scene.server.advance(minutes(1));
    let soon = from_now(&scene.server, minutes(10));
    let patched = ada(&scene.server).patch(&path_of(&first), &json!({"expirationDateTime": soon})).await;
    assert_eq!(patched.json()["expirationDateTime"], "2026-11-20T09:46:00.0000000Z", "{patched:?}");
    // Another user of the same application has a place of their own.
    made(&ben_of_a(&scene.server).post(SUBSCRIPTIONS, &scene.order).await);
    done_without_content(&ada(&scene.server).delete(&path_of(&first)).await);
    made(&scene.post(&scene.order).await);
}

#[tokio::test]
async fn s8_e12_what_is_not_there_is_not_found() {
    let scene = Scene::open().await;
    let end = json!({"expirationDateTime": from_now(&scene.server, minutes(5))});
    let ada = ada(&scene.server);
    for id in [NOBODY, "nothing"] {
        let path = format!("{SUBSCRIPTIONS}/{id}");
        for answer in [
            ada.get(&path).await,
            ada.patch(&path, &end).await,
            ada.delete(&path).await,
            ada.post(&format!("{path}/reauthorize"), &json!({})).await,
            ada.get(&format!("{path}/porchlight.deliveries")).await,
        ] {
            refused(&answer, NOT_FOUND);
        }
    }
}

/// subscriptions-and-auth 5, 24.2
#[tokio::test]
async fn s8_e13_who_may_not_read_everybody_is_not_told_of_others() {
    let scene = Scene::open().await;
    let tokens = [
        format!("ada@{APP_A}:Presence.Read"),
        format!("ada@{APP_A}:Presence.ReadWrite"),
        format!("ada@{APP_A}:User.Read.All"),
        format!("{APP_A}:User.Read.All"),
    ];
    for token in tokens {
        let client = scene.server.client(&token);
        for resource in [single(BEN), many(&[ADA, BEN]), "communications/presences".to_owned()] {
            let answer = client.post(SUBSCRIPTIONS, &scene.with("resource", resource)).await;
            refused(&answer, E13);
            let porchlight = &answer.json()["error"]["innerError"]["porchlight"];
            let required = porchlight["required"].as_array().expect("what would do");
            assert!(required.contains(&json!("Presence.Read.All")), "{answer:?}");
        }
    }
    scene.is_untouched().await;
}

/// subscriptions-and-auth 5.3
#[tokio::test]
async fn who_may_read_their_own_presence_is_told_of_it() {
    let scene = Scene::open().await;
    let client = scene.server.client(&format!("ada@{APP_A}:Presence.Read"));
    for resource in [single(ADA), many(&[ADA]), "me/presence".to_owned()] {
        let shown = subscribe(&client, &scene.with("resource", resource)).await;
        set(&scene.server, ADA, "Busy/InACall").await;
        assert_eq!(whose(&scene.receiver.items(1).await[0]), ADA);
        assert_eq!(client.get(&path_of(&shown)).await.status, 200);
        done_without_content(&client.delete(&path_of(&shown)).await);
        set(&scene.server, ADA, "Away/Away").await;
        scene.server.advance(seconds(1));
    }
}

/// subscriptions-and-auth 12.2, 24.4
#[tokio::test]
async fn s8_e13_who_has_lost_the_right_cannot_go_on() {
    let scene = Scene::open().await;
    let shown = made(&scene.post(&scene.order).await);
    let client = scene.server.client(&format!("ada@{APP_A}:Presence.Read"));
    let answer = client.post(&format!("{}/reauthorize", path_of(&shown)), &json!({})).await;
    refused(&answer, &E13.replace("Create", "Update"));
    let end = json!({"expirationDateTime": from_now(&scene.server, minutes(5))});
    let answer = client.patch(&path_of(&shown), &end).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let read = ada(&scene.server).get(&path_of(&shown)).await.json();
    assert_eq!(read["expirationDateTime"], shown["expirationDateTime"]);
}

/// subscriptions-and-auth 4.7, 15.6
#[tokio::test]
async fn s8_e14_a_certificate_that_cannot_be_used_is_refused() {
    let scene = Scene::open().await;
    let shown = made(&scene.post(&scene.rich()).await);
    let (elliptic, short) =
        (include_str!("certificates/elliptic.pem"), include_str!("certificates/short.pem"));
    let public_key = include_str!("certificates/public_key.pem");
    let (certificate, elliptic_der) = (in_base64(CERTIFICATE), in_base64(elliptic));
    let (short_der, key_der) = (in_base64(short), in_base64(public_key));
    let texts = [
        "nonsense",
        "AAAA",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ",
        "AAAAB3NzaC1yc2EAAAADAQABAAABAQ",
        elliptic,
        &elliptic_der,
        short,
        &short_der,
        public_key,
        &key_der,
        &certificate[..400],
    ];
    for text in texts {
        let answer = scene.post(&with(scene.rich(), "encryptionCertificate", text)).await;
        assert_eq!(answer.error(), E14, "{text}");
        refused(&answer, E14);
        let change = json!({"encryptionCertificate": text, "encryptionCertificateId": "id"});
        refused(&ada(&scene.server).patch(&path_of(&shown), &change).await, E14);
    }
}

#[tokio::test]
async fn s8_e15_resources_need_a_certificate_and_its_id() {
    for scene in [Scene::open().await, Scene::strict().await] {
        for name in ["encryptionCertificate", "encryptionCertificateId"] {
            refused(&scene.post(&without(scene.rich(), name)).await, E15);
        }
        refused(&scene.post(&scene.with("includeResourceData", true)).await, E15);
        scene.is_untouched().await;
        scene.is_good(&scene.with("includeResourceData", false)).await;
    }
}

#[tokio::test]
async fn s8_e18_an_owner_has_so_many_subscriptions_and_no_more() {
    let server = TestServer::builder().notify(|settings| settings.per_owner_max = 2).start().await;
    let scene = Scene::new(server).await;
    let first = made(&scene.post(&scene.order).await);
    made(&scene.post(&scene.with("resource", single(ADA))).await);
    let third = scene.with("resource", many(&[ADA, BEN]));
    let answer = scene.post(&third).await;
    let error = answer.error();
    let beginning = format!(
        "403 ExtensionError Operation: Create; Exception: [Status Code: Forbidden; Reason: App '{APP_A}' has reached \
         its limit of '2' '"
    );
    assert!(error.starts_with(&beginning), "{error}");
    assert!(error.ends_with(&format!("' subscription on tenant '{TENANT}']")), "{error}");
    refused(&answer, &error);
    made(&ben_of_a(&scene.server).post(SUBSCRIPTIONS, &third).await);
    done_without_content(&ada(&scene.server).delete(&path_of(&first)).await);
    made(&scene.post(&third).await);
}

/// What a refusal of an endpoint says of it.
fn why(answer: &Answer) -> Value {
    answer.json()["error"]["innerError"]["porchlight"].clone()
}

#[tokio::test]
async fn s8_e19_an_endpoint_has_to_answer_with_200() {
    let scene = Scene::open().await;
    let other = Receiver::start().await;
    let table = [
        (Validation::Status(202), 202),
        (Validation::Status(201), 201),
        (Validation::Status(404), 404),
        (Validation::Status(500), 500),
        (Validation::Redirect(other.url("/")), 307),
    ];
    for (validation, status) in table {
        scene.receiver.validate_with(validation);
        let answer = scene.post(&scene.order).await;
        refused(&answer, E19);
        let why = why(&answer);
        assert_eq!((&why["url"], &why["status"]), (&scene.order["notificationUrl"], &json!(status)));
        assert!(why["check"].is_string() && why["elapsedMs"].is_u64(), "{why}");
        assert!(!answer.error().contains("Request-Id"), "nothing of what the endpoint said");
    }
    assert_eq!(other.validations().len(), 0, "redirects are not followed");
    assert_eq!(listed(&ada(&scene.server)).await, Vec::<String>::new());
    scene.receiver.validate_with(Validation::Echo);
    scene.is_good(&scene.order).await;
}

#[tokio::test]
async fn s8_e19_an_endpoint_has_to_be_there() {
    let scene = Scene::open().await;
    let gone = Receiver::start().await.url("/");
    let answer = scene.post(&scene.with("notificationUrl", gone.as_str())).await;
    refused(&answer, E19);
    let why = why(&answer);
    assert_eq!((&why["url"], &why["status"]), (&json!(gone), &Value::Null));
    let both = scene.with("lifecycleNotificationUrl", gone.as_str());
    let answer = scene.post(&both).await;
    refused(&answer, E19);
    assert_eq!(self::why(&answer)["url"], gone, "it says which of both");
}

/// subscriptions-and-auth 7.8
#[tokio::test]
async fn s8_e19_a_name_that_means_a_forbidden_address_is_refused_like_a_bad_endpoint() {
    let server = TestServer::builder().notify(|settings| settings.egress = Egress::default()).start().await;
    let scene = Scene::new(server).await;
    let answer = scene.post(&scene.with("notificationUrl", "https://localhost/")).await;
    refused(&answer, E19);
    assert_eq!(why(&answer)["check"], "address");
}

/// subscriptions-and-auth 7.4
#[tokio::test]
async fn s8_e20_an_endpoint_has_to_send_the_token_back() {
    let scene = Scene::open().await;
    for validation in [Validation::Encoded, Validation::Suffix("x"), Validation::Suffix("\n\n")] {
        scene.receiver.validate_with(validation);
        let answer = scene.post(&scene.order).await;
        refused(&answer, E20);
        let why = why(&answer);
        assert_eq!((&why["url"], &why["status"]), (&scene.order["notificationUrl"], &json!(200)));
        assert!(why["check"].is_string() && why["elapsedMs"].is_u64(), "{why}");
    }
    for validation in [
        Validation::Suffix("\n"),
        Validation::Suffix("\r\n"),
        Validation::Type("application/json"),
        Validation::Type("text/plain; charset=utf-8"),
    ] {
        scene.receiver.validate_with(validation);
        scene.is_good(&scene.order).await;
    }
    scene.receiver.validate_with(Validation::Type("text/html"));
    assert!(scene.post(&scene.order).await.error().starts_with("400 ValidationError "));
}

/// subscriptions-and-auth 7.4, 8.4
#[tokio::test]
async fn under_strict_the_token_comes_back_exactly_and_the_error_says_no_more() {
    let scene = Scene::strict().await;
    for validation in [Validation::Suffix("\n"), Validation::Suffix("\r\n"), Validation::Encoded] {
        scene.receiver.validate_with(validation);
        let answer = scene.post(&scene.order).await;
        refused(&answer, E20);
        let body = answer.json();
        assert_eq!(members(&body["error"]["innerError"]), ["date", "request-id", "client-request-id"]);
    }
    scene.receiver.validate_with(Validation::Type("application/json"));
    assert!(scene.post(&scene.order).await.error().starts_with("400 ValidationError "));
    scene.receiver.validate_with(Validation::Type("Text/Plain; charset=utf-8"));
    made(&scene.post(&scene.order).await);
}

#[tokio::test]
async fn s30_t2_an_endpoint_that_does_not_prove_itself_is_refused() {
    let timeout = millis(300);
    let server = TestServer::builder().notify(|settings| settings.validation_timeout = timeout).start().await;
    let scene = Scene::new(server).await;
    scene.receiver.validate_with(Validation::Encoded);
    refused(&scene.post(&scene.order).await, E20);
    scene.receiver.validate_with(Validation::Status(202));
    refused(&scene.post(&scene.order).await, E19);
    scene.receiver.validate_with(Validation::Late(seconds(60)));
    let begun = Instant::now();
    let answer = scene.post(&scene.order).await;
    let elapsed = begun.elapsed();
    refused(&answer, E21);
    assert!((timeout..seconds(5)).contains(&elapsed), "{elapsed:?}");
    let why = why(&answer);
    assert_eq!((&why["url"], &why["status"]), (&scene.order["notificationUrl"], &Value::Null));
    assert!(why["elapsedMs"].as_u64().is_some_and(|elapsed| (300..5000).contains(&elapsed)), "{why}");
    assert_eq!(listed(&ada(&scene.server)).await, Vec::<String>::new());
}

/// subscriptions-and-auth 7.6
#[tokio::test]
async fn a_new_url_that_does_not_prove_itself_changes_nothing() {
    let scene = Scene::open().await;
    let shown = made(&scene.post(&scene.order).await);
    let other = Receiver::start().await;
    other.validate_with(Validation::Status(500));
    let change = json!({
        "notificationUrl": other.url("/"),
        "expirationDateTime": from_now(&scene.server, minutes(5)),
    });
    refused(&ada(&scene.server).patch(&path_of(&shown), &change).await, E19);
    assert_eq!(ada(&scene.server).get(&path_of(&shown)).await.json(), shown);
    set(&scene.server, BEN, "Busy/InACall").await;
    assert_eq!(whose(&scene.receiver.items(1).await[0]), BEN);
    assert_eq!(other.seen(), 0);
}

#[tokio::test]
async fn s8_e22_a_change_has_to_change_something() {
    for scene in [Scene::open().await, Scene::strict().await] {
        let shown = made(&scene.post(&scene.order).await);
        for body in [json!({}), json!({"expirationDateTime": null}), json!({"notificationUrl": null})] {
            refused(&ada(&scene.server).patch(&path_of(&shown), &body).await, E22);
        }
        for body in
            [json!({"expirationDateTime": 5}), json!({"expirationDateTime": "soon"}), json!({"no": "such"})]
        {
            let answer = ada(&scene.server).patch(&path_of(&shown), &body).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
        }
        assert_eq!(ada(&scene.server).get(&path_of(&shown)).await.json(), shown);
    }
}

#[tokio::test]
async fn s8_e23_a_wrong_method_is_answered_with_the_right_ones() {
    let scene = Scene::open().await;
    let path = path_of(&made(&scene.post(&scene.order).await));
    let table = [
        (Method::PUT, SUBSCRIPTIONS.to_owned(), "GET, HEAD, POST"),
        (Method::DELETE, SUBSCRIPTIONS.to_owned(), "GET, HEAD, POST"),
        (Method::PUT, path.clone(), "DELETE, GET, HEAD, PATCH"),
        (Method::POST, path.clone(), "DELETE, GET, HEAD, PATCH"),
        (Method::GET, format!("{path}/reauthorize"), "POST"),
        (Method::POST, format!("{path}/porchlight.deliveries"), "GET, HEAD"),
    ];
    for (method, path, expected) in table {
        let answer = ada(&scene.server).call(method.clone(), &path, None::<&[u8]>).await;
        refused(
            &answer,
            "405 Request_BadRequest Specified HTTP method is not allowed for the request target.",
        );
        let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_call_without_a_token_is_401() {
    let scene = Scene::open().await;
    let anonymous = scene.server.anonymous();
    let path = path_of(&made(&scene.post(&scene.order).await));
    for answer in [
        anonymous.get(SUBSCRIPTIONS).await,
        anonymous.post(SUBSCRIPTIONS, &scene.order).await,
        anonymous.post(SUBSCRIPTIONS, &json!({})).await,
        anonymous.get(&path).await,
        anonymous.patch(&path, &json!({})).await,
        anonymous.delete(&path).await,
        anonymous.post(&format!("{path}/reauthorize"), &json!({})).await,
    ] {
        refused(&answer, "401 InvalidAuthenticationToken Access token is empty.");
    }
}

/// subscriptions-and-auth 19.4
#[tokio::test]
async fn web_push_is_not_offered() {
    let scene = Scene::open().await;
    for name in ["vapidPublicKey", "webPushEncryptionP256dhPublicKey", "webPushEncryptionSecret"] {
        let answer = scene.post(&scene.with(name, "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA")).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    scene.is_untouched().await;
}

/// subscriptions-and-auth 13.7
#[tokio::test]
async fn options_of_notifications_that_nobody_knows_are_refused() {
    let scene = Scene::open().await;
    for options in [
        "coalesce=61",
        "coalesce=-1",
        "coalesce=soon",
        "initialSnapshot=maybe",
        "excludeSelf=1x",
        "$select=nothing",
        "$filter=availability eq 'Busy'",
        "anything=true",
    ] {
        let answer = scene.post(&scene.with("notificationQueryOptions", options)).await;
        assert_eq!(answer.status, 400, "{options}: {answer:?}");
    }
    scene.is_untouched().await;
}

/// subscriptions-and-auth 6.1: every row of this table is wrong in what it says and in all that follows, and the first
/// is named.
#[tokio::test]
async fn the_first_fault_in_the_order_of_checks_is_named() {
    let scene = Scene::open().await;
    let first = made(&scene.post(&scene.order).await);
    scene.receiver.validate_with(Validation::Status(500));
    let client = scene.server.client(&format!("ada@{APP_A}:Presence.Read"));
    let mut order = json!({
        "notificationUrl": "nowhere",
        "resource": "me/messages",
        "expirationDateTime": "2020-01-01T00:00:00Z",
        "clientState": "x".repeat(129),
        "includeResourceData": true,
        "encryptionCertificate": "nonsense",
        "encryptionCertificateId": "id",
    });
    let expect = async |order: &Value, expected: &str| {
        let answer = client.post(SUBSCRIPTIONS, order).await;
        assert_eq!(answer.error(), expected, "{order}");
    };
    expect(&order, &required("changeType")).await;
    order["changeType"] = "deleted".into();
    expect(&order, &no_url("notificationUrl")).await;
    order["notificationUrl"] = scene.order["notificationUrl"].clone();
    expect(&order, &too_long("clientState", 128)).await;
    order["clientState"] = "x".into();
    let unsupported =
        "400 InvalidRequest The changeType 'deleted' is not supported for this resource. Supported: updated.";
    expect(&order, unsupported).await;
    order["changeType"] = "updated".into();
    expect(&order, E8).await;
    order["expirationDateTime"] = scene.order["expirationDateTime"].clone();
    expect(&order, E9).await;
    order["resource"] = scene.order["resource"].clone();
    expect(&order, E13).await;
    // From here on by somebody who may.
    assert_eq!(scene.post(&order).await.error(), E14);
    order["encryptionCertificate"] = in_base64(CERTIFICATE).into();
    assert!(scene.post(&order).await.error().contains(id_of(&first)));
    assert_eq!(scene.receiver.validations().len(), 1, "an endpoint is asked last of all");
    assert_eq!(ben(&scene.server).post(SUBSCRIPTIONS, &order).await.error(), E19);
    let other = scene.server.client(&format!("ada@{APP_B}:"));
    assert_eq!(other.post(SUBSCRIPTIONS, &order).await.error(), E19);
}
