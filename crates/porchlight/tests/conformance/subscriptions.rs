//! The life of a subscription: subscriptions-and-auth 1, 2, 3, 6, 9 to 12.
//!
//! Here and in the other files about subscriptions, a test whose name begins with `s30_t` and a number is that case of
//! subscriptions-and-auth 30.

use http::Method;
use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, Client, Reaction, Receiver, START, TestServer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::subscriptions_support::{
    CERTIFICATE, NOT_FOUND, OTHER_CERTIFICATE, OTHER_THUMBPRINT, SUBSCRIPTIONS, TENANT, THUMBPRINT, ben_of_a,
    from_now, id_of, ids_on, in_base64, listed, made, many, millis, noted, order, path_of, set, single,
    subscribe, whose, with, without, witness,
};
use crate::support::{
    BATCH, NOBODY, ada, below, ben, done_without_content, hours, members, minutes, redacted, refused, seconds,
};

/// The endpoint of most tests.
const HOOK: &str = "/hook?src=porch";

/// What a good order of subscriptions-and-auth 6.3 says.
fn rich_order(receiver: &Receiver) -> Value {
    json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/presence?src=porch"),
        "lifecycleNotificationUrl": receiver.url("/lifecycle"),
        "resource": many(&[ADA, BEN]),
        "expirationDateTime": "2026-11-20T09:55:00.0000000Z",
        "includeResourceData": true,
        "encryptionCertificate": in_base64(CERTIFICATE),
        "encryptionCertificateId": "hook-cert-2027-01",
        "clientState": "b2c9-not-a-real-secret",
    })
}

/// A list, page by page.
async fn pages(server: &TestServer, client: &Client) -> Vec<Vec<String>> {
    let (mut next, mut pages) = (Some(SUBSCRIPTIONS.to_owned()), Vec::new());
    while let Some(path) = next {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let page = answer.json();
        pages.push(ids_on(&page));
        next = page["@odata.nextLink"].as_str().map(|link| below(server, link));
    }
    pages
}

#[tokio::test]
async fn s30_t1_both_endpoints_are_asked_and_the_subscription_is_shown() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = rich_order(&receiver);
    let answer = ada(&server).post(SUBSCRIPTIONS, &order).await;
    let shown = made(&answer);
    let expected = json!({
        "@odata.context": format!("{}/v1.0/$metadata#subscriptions/$entity", server.url()),
        "id": shown["id"],
        "resource": order["resource"],
        "applicationId": APP_A,
        "changeType": "updated",
        "clientState": "b2c9-not-a-real-secret",
        "notificationUrl": order["notificationUrl"],
        "notificationQueryOptions": null,
        "lifecycleNotificationUrl": order["lifecycleNotificationUrl"],
        "expirationDateTime": "2026-11-20T09:55:00.0000000Z",
        "creatorId": ADA,
        "includeResourceData": true,
        "latestSupportedTlsVersion": "v1_2",
        "encryptionCertificate": null,
        "encryptionCertificateId": "hook-cert-2027-01",
        "notificationUrlAppId": null,
        "notificationContentType": "application/json",
    });
    assert_eq!(shown, expected);
    let id = id_of(&shown);
    assert_eq!(Uuid::try_parse(id).expect("a GUID").to_string(), id, "in lower case, with hyphens");
    assert_eq!(answer.header("location"), format!("{}{}", server.url(), path_of(&shown)));
    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
    assert_eq!(answer.header("client-request-id"), answer.header("request-id"));

    let token = format!(
        "Validation%3A%20Testing%20client%20application%20reachability%20for%20subscription%20Request-Id%3A%20{}",
        answer.header("request-id")
    );
    let validations = receiver.validations();
    let mut targets: Vec<&str> = validations.iter().map(|asked| asked.target.as_str()).collect();
    targets.sort_unstable();
    let expected = [
        format!("/lifecycle?validationToken={token}"),
        format!("/presence?src=porch&validationToken={token}"),
    ];
    assert_eq!(targets, expected);
    for asked in &validations {
        assert_eq!(asked.method, Method::POST);
        assert_eq!(asked.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!((asked.header("content-length"), asked.body.len()), ("0", 0));
    }
    assert_eq!(receiver.seen(), 0);
}

#[tokio::test]
async fn each_url_is_asked_even_if_both_are_one() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let one = order(&server, &receiver.url(HOOK), &single(ADA));
    subscribe(&ada(&server), &one).await;
    assert_eq!(receiver.validations().len(), 1, "there is no lifecycleNotificationUrl");
    let both = with(one, "lifecycleNotificationUrl", receiver.url(HOOK));
    subscribe(&ada(&server), &with(both, "resource", single(BEN))).await;
    assert_eq!(receiver.validations().len(), 3);
}

#[tokio::test]
async fn s30_t3_the_same_again_is_refused_with_the_id_of_the_first_until_that_is_deleted() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &many(&[ADA, BEN]));
    let first = subscribe(&ada(&server), &order).await;
    let again = ada(&server).post(SUBSCRIPTIONS, &order).await;
    let duplicate = format!(
        "409 ObjectIdentifierInUse Subscription Id {} already exists for the requested combination",
        id_of(&first)
    );
    refused(&again, &duplicate);
    assert_eq!(receiver.validations().len(), 1, "nobody was asked for nothing");
    done_without_content(&ada(&server).delete(&path_of(&first)).await);
    let second = subscribe(&ada(&server), &order).await;
    assert_ne!(id_of(&second), id_of(&first));
}

/// subscriptions-and-auth 3.3, 3.4, 3.8
#[tokio::test]
async fn a_resource_is_the_same_however_it_is_written_and_is_shown_as_it_was() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let groups = [
        vec![
            format!("communications/presences/{ADA}"),
            format!("/communications/presences/{ADA}"),
            format!("/Communications/Presences/{}", ADA.to_uppercase()),
            format!("communications/presences('{ADA}')"),
            format!("communications/presences?$filter=id in ('{ADA}')"),
            format!("communications/presences?$filter=id in ('{ADA}', '{}')", ADA.to_uppercase()),
            format!("communications/presences?$filter=id eq '{ADA}'"),
            format!("communications/presences?%24filter=id%20eq%20%27{ADA}%27"),
            format!("communications/presences?$filter=id+in+('{ADA}')"),
            format!("users/{ADA}/presence"),
            "users/ada@porchlight.example/presence".to_owned(),
            "me/presence".to_owned(),
        ],
        vec![
            format!("communications/presences?$filter=id in ('{ADA}','{BEN}')"),
            format!("/communications/presences?$filter=id in ('{BEN}', '{ADA}')"),
            format!("communications/presences?$filter=id in ({BEN},{ADA})"),
        ],
    ];
    for group in groups {
        for resource in &group {
            let order = order(&server, &receiver.url(HOOK), resource);
            let first = subscribe(&ada(&server), &order).await;
            assert_eq!(first["resource"], resource.as_str());
            for other in &group {
                let other_order = with(order.clone(), "resource", other.as_str());
                let again = ada(&server).post(SUBSCRIPTIONS, &other_order).await;
                assert_eq!(again.status, 409, "{resource} and {other}: {again:?}");
                assert!(again.error().contains(id_of(&first)), "{again:?}");
            }
            done_without_content(&ada(&server).delete(&path_of(&first)).await);
        }
    }
}

/// subscriptions-and-auth 4.12
#[tokio::test]
async fn others_may_have_the_same() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let app_a = server.client(&format!("{APP_A}:"));
    let app_b = server.client(&format!("{APP_B}:"));
    for client in [ada(&server), ben_of_a(&server), ben(&server), app_a, app_b] {
        subscribe(&client, &order).await;
        assert_eq!(client.post(SUBSCRIPTIONS, &order).await.status, 409);
    }
}

/// subscriptions-and-auth 5.2
#[tokio::test]
async fn an_application_subscribes_in_its_own_name() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let mut creators = Vec::new();
    for (app, permission) in
        [(APP_A, "Presence.Read.All"), (APP_A, "Presence.ReadWrite.All"), (APP_B, "Presence.Read.All")]
    {
        let client = server.client(&format!("{app}:{permission}"));
        let user = if permission == "Presence.Read.All" { ADA } else { BEN };
        let shown = subscribe(&client, &order(&server, &receiver.url(HOOK), &single(user))).await;
        assert_eq!(shown["applicationId"], app);
        let creator = shown["creatorId"].as_str().expect("a creator").to_owned();
        Uuid::try_parse(&creator).expect("a GUID");
        creators.push(creator);
    }
    assert_eq!(creators[0], creators[1]);
    assert_ne!(creators[0], creators[2]);
}

/// subscriptions-and-auth 2.6
#[tokio::test]
async fn an_end_is_read_in_every_spelling_and_shown_in_one() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let table = [
        ("2026-11-20T09:50:00Z", "2026-11-20T09:50:00.0000000Z"),
        ("2026-11-20T09:50Z", "2026-11-20T09:50:00.0000000Z"),
        ("2026-11-20T10:50:00.5+01:00", "2026-11-20T09:50:00.5000000Z"),
        ("2026-11-20T04:20:00-05:30", "2026-11-20T09:50:00.0000000Z"),
        ("2026-11-20T09:50:00.1234567Z", "2026-11-20T09:50:00.1234567Z"),
        ("2026-11-20T09:50:00.123456700Z", "2026-11-20T09:50:00.1234567Z"),
    ];
    for (given, expected) in table {
        let order = order(&server, &receiver.url(HOOK), &single(ADA));
        let shown = subscribe(&ada(&server), &with(order, "expirationDateTime", given)).await;
        assert_eq!(shown["expirationDateTime"], expected, "{given}");
        let path = path_of(&shown);
        assert_eq!(ada(&server).get(&path).await.json()["expirationDateTime"], expected, "{given}");
        let patched = ada(&server).patch(&path, &json!({"expirationDateTime": given})).await;
        assert_eq!(patched.json()["expirationDateTime"], expected, "{given}: {patched:?}");
        done_without_content(&ada(&server).delete(&path).await);
    }
}

/// subscriptions-and-auth 2.1, 2.5, 2.7, 1.3
#[tokio::test]
async fn what_is_null_is_absent_and_what_only_the_server_says_is_ignored() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let mut order = order(&server, &receiver.url(HOOK), &single(ADA));
    for name in [
        "lifecycleNotificationUrl",
        "clientState",
        "includeResourceData",
        "encryptionCertificate",
        "encryptionCertificateId",
        "latestSupportedTlsVersion",
        "notificationQueryOptions",
        "notificationUrlAppId",
        "notificationContentType",
    ] {
        order[name] = Value::Null;
    }
    order["id"] = NOBODY.into();
    order["applicationId"] = NOBODY.into();
    order["creatorId"] = NOBODY.into();
    order["@odata.type"] = "#microsoft.graph.subscription".into();
    let shown = subscribe(&ada(&server), &order).await;
    assert_ne!(shown["id"], NOBODY);
    assert_eq!((&shown["applicationId"], &shown["creatorId"]), (&json!(APP_A), &json!(ADA)));
    let expected = json!([null, null, false, "v1_2", null, null, null]);
    let names = [
        "lifecycleNotificationUrl",
        "clientState",
        "includeResourceData",
        "latestSupportedTlsVersion",
        "notificationQueryOptions",
        "encryptionCertificateId",
        "notificationUrlAppId",
    ];
    assert_eq!(names.map(|name| shown[name].clone()).into_iter().collect::<Value>(), expected);
}

/// subscriptions-and-auth 2.1, 2.5
#[tokio::test]
async fn what_a_maker_says_of_the_endpoint_is_shown() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    for (given, expected) in [("v1_0", "v1_0"), ("v11", "v1_1"), ("v1_2", "v1_2"), ("v13", "v1_3")] {
        let order = order(&server, &receiver.url(HOOK), &single(ADA));
        let order = with(order, "latestSupportedTlsVersion", given);
        let shown = subscribe(&ada(&server), &with(order, "notificationUrlAppId", APP_B)).await;
        assert_eq!(shown["latestSupportedTlsVersion"], expected);
        assert_eq!(shown["notificationUrlAppId"], APP_B);
        done_without_content(&ada(&server).delete(&path_of(&shown)).await);
    }
}

/// subscriptions-and-auth 15.6
#[tokio::test]
async fn a_certificate_is_read_in_every_form() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let in_one_line = in_base64(CERTIFICATE);
    let in_lines = in_one_line.replace('A', "A\r\n ");
    let chain = format!("{CERTIFICATE}{OTHER_CERTIFICATE}");
    let in_base64_twice = include_str!("certificates/rsa.pem.base64");
    for text in [in_one_line.as_str(), &in_lines, CERTIFICATE, &chain, in_base64_twice] {
        let order = with(rich_order(&receiver), "encryptionCertificate", text);
        let shown = subscribe(&ada(&server), &order).await;
        assert_eq!(shown["encryptionCertificate"], Value::Null);
        assert_eq!(shown["encryptionCertificateId"], "hook-cert-2027-01");
        set(&server, ADA, "Busy/InACall").await;
        let item = receiver.items(1).await.remove(0);
        assert_eq!(item["encryptedContent"]["encryptionCertificateThumbprint"], THUMBPRINT, "{text}");
        done_without_content(&ada(&server).delete(&path_of(&shown)).await);
        set(&server, ADA, "Away/Away").await;
        server.advance(seconds(1));
    }
}

/// subscriptions-and-auth 2.3, 9.5
#[tokio::test]
async fn a_subscription_is_read_back_without_its_client_state() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &rich_order(&receiver)).await;
    let answer = ada(&server).get(&path_of(&shown)).await;
    assert_eq!(answer.status, 200);
    let read = answer.json();
    assert_eq!(read, with(shown.clone(), "clientState", Value::Null));
    let list = ada(&server).get(SUBSCRIPTIONS).await.json();
    let context = format!("{}/v1.0/$metadata#subscriptions", server.url());
    assert_eq!(list, json!({"@odata.context": context, "value": [without(read, "@odata.context")]}));
    let end = json!({"expirationDateTime": from_now(&server, minutes(50))});
    let patched = ada(&server).patch(&path_of(&shown), &end).await;
    assert_eq!((patched.status.as_u16(), &patched.json()["clientState"]), (200, &Value::Null));
}

/// subscriptions-and-auth 1.1, 1.2
#[tokio::test]
async fn both_versions_show_the_same_subscriptions_under_every_key() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let ada = ada(&server);
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let answer = ada.post("/beta/subscriptions", &order).await;
    let shown = made(&answer);
    let id = id_of(&shown);
    let context = |version: &str| format!("{}/{version}/$metadata#subscriptions/$entity", server.url());
    assert_eq!(shown["@odata.context"], context("beta"));
    assert_eq!(answer.header("location"), format!("{}/beta/subscriptions/{id}", server.url()));
    let expected = without(shown.clone(), "@odata.context");
    for version in ["v1.0", "beta"] {
        let root = format!("/{version}/subscriptions");
        assert_eq!(ids_on(&ada.get(&root).await.json()), [id]);
        let upper = id.to_uppercase();
        for path in [format!("{root}/{id}"), format!("{root}('{id}')"), format!("{root}/{upper}")] {
            let read = ada.get(&path).await.json();
            assert_eq!(read["@odata.context"], context(version), "{path}");
            assert_eq!(without(read, "@odata.context"), expected, "{path}");
        }
    }
    done_without_content(&ada.delete(&format!("/v1.0/subscriptions('{id}')")).await);
    refused(&ada.get(&format!("/beta/subscriptions/{id}")).await, NOT_FOUND);
}

/// subscriptions-and-auth 9.4
#[tokio::test]
async fn long_lists_come_in_pages_in_the_order_of_making() {
    let server = TestServer::builder().notify(|settings| settings.per_owner_max = 200).start().await;
    let receiver = Receiver::start().await;
    let mut ids = Vec::new();
    for number in 0..103 {
        let user = format!("00000000-0000-4000-8000-{number:012}");
        let shown = subscribe(&ada(&server), &order(&server, &receiver.url(HOOK), &single(&user))).await;
        ids.push(id_of(&shown).to_owned());
        server.advance(millis(1));
    }
    let pages = pages(&server, &ada(&server)).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 3]);
    assert_eq!(pages.concat(), ids);
    let first = ada(&server).get("/beta/subscriptions").await.json();
    let link = below(&server, first["@odata.nextLink"].as_str().expect("a link"));
    assert!(link.starts_with("/beta/subscriptions?$skiptoken="), "{link}");
    done_without_content(&ada(&server).delete(&format!("{SUBSCRIPTIONS}/{}", ids[99])).await);
    let second = ada(&server).get(&link).await.json();
    assert_eq!(ids_on(&second), ids[100..], "the page goes on although its neighbour is gone");
    assert_eq!(second.get("@odata.nextLink"), None);
    let answer = ada(&server).get(&format!("{SUBSCRIPTIONS}?$skiptoken=zzz")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

/// subscriptions-and-auth 9.1
#[tokio::test]
async fn options_that_a_list_does_not_have_are_ignored_and_under_strict_refused() {
    for (profile, status) in [(Profile::Open, 200), (Profile::Strict, 400)] {
        let server = TestServer::builder().profile(profile).start().await;
        for option in ["$top=1", "$filter=x", "$orderby=id"] {
            let answer = ada(&server).get(&format!("{SUBSCRIPTIONS}?{option}")).await;
            assert_eq!(answer.status, status, "{profile:?} {option}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn s30_t10_the_end_is_announced_and_can_be_moved() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = with(order(&server, &receiver.url(HOOK), &single(ADA)), "clientState", "the state");
    let order = with(order, "lifecycleNotificationUrl", receiver.url("/lifecycle"));
    let shown = subscribe(&ada(&server), &order).await;
    let path = path_of(&shown);
    server.advance(seconds(45 * 60 - 1));
    set(&server, ADA, "Busy/InACall").await;
    assert_eq!(receiver.next().await.target, HOOK, "nothing was announced before");
    server.advance(seconds(1));
    let announced = receiver.next().await;
    assert_eq!(announced.target, "/lifecycle");
    let said = announced.json();
    let expected = |end: &Value, said: &Value| {
        json!({"value": [{
            "id": said["value"][0]["id"],
            "subscriptionId": shown["id"],
            "subscriptionExpirationDateTime": end,
            "tenantId": TENANT,
            "clientState": "the state",
            "lifecycleEvent": "reauthorizationRequired",
        }]})
    };
    assert_eq!(said, expected(&shown["expirationDateTime"], &said));
    let reauthorize = format!("{path}/reauthorize");
    done_without_content(&ada(&server).call(Method::POST, &reauthorize, None::<&[u8]>).await);
    done_without_content(&ada(&server).post(&reauthorize, &json!({"anything": [1]})).await);
    let read = ada(&server).get(&path).await.json();
    assert_eq!(read["expirationDateTime"], shown["expirationDateTime"]);

    let end = from_now(&server, hours(1));
    let patched = ada(&server).patch(&path, &json!({"expirationDateTime": end})).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(patched.json(), with(read, "expirationDateTime", end.as_str()));
    assert_eq!(ada(&server).get(&path).await.json(), patched.json());
    server.advance(minutes(45));
    let said = receiver.next().await.json();
    assert_eq!(said, expected(&json!(end), &said), "once, and for the new end");
    assert_eq!(receiver.validations().len(), 2, "who only moves the end is not asked again");
}

/// subscriptions-and-auth 18.3
#[tokio::test]
async fn a_short_life_is_announced_at_its_half_and_without_a_place_for_it_nothing_is() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let short = with(
        order(&server, &receiver.url(HOOK), &single(ADA)),
        "expirationDateTime",
        from_now(&server, minutes(10)),
    );
    subscribe(&ben(&server), &short).await;
    subscribe(&ada(&server), &with(short, "lifecycleNotificationUrl", receiver.url("/lifecycle"))).await;
    server.advance(minutes(5));
    let said = receiver.next().await.items();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["lifecycleEvent"], "reauthorizationRequired");
    set(&server, ADA, "Busy/InACall").await;
    assert!(receiver.items(2).await.iter().all(|item| item.get("lifecycleEvent").is_none()));
}

#[tokio::test]
async fn s30_t11_what_has_ended_is_gone_and_can_be_brought_back_for_five_minutes() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let shown = subscribe(&ada(&server), &order).await;
    let path = path_of(&shown);
    server.advance(millis(60 * 60 * 1000 - 1));
    assert_eq!(listed(&ada(&server)).await, [id_of(&shown)]);
    server.advance(millis(1));
    refused(&ada(&server).get(&path).await, NOT_FOUND);
    assert_eq!(listed(&ada(&server)).await, Vec::<String>::new());
    refused(&ada(&server).delete(&path).await, NOT_FOUND);

    server.advance(minutes(4));
    let back = ada(&server).patch(&path, &json!({"expirationDateTime": from_now(&server, hours(1))})).await;
    assert_eq!((back.status.as_u16(), &back.json()["id"]), (200, &shown["id"]));
    assert_eq!(ada(&server).get(&path).await.json(), back.json());
    set(&server, ADA, "Busy/InACall").await;
    assert_eq!(whose(&receiver.items(1).await[0]), ADA);

    server.advance(hours(1) + minutes(5));
    let late = ada(&server).patch(&path, &json!({"expirationDateTime": from_now(&server, hours(1))})).await;
    refused(&late, NOT_FOUND);
}

#[tokio::test]
async fn s30_t11_nothing_is_told_after_the_end() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let short = with(order.clone(), "expirationDateTime", from_now(&server, minutes(30)));
    subscribe(&ada(&server), &short).await;
    let long = subscribe(&ben(&server), &order).await;
    set(&server, ADA, "Busy/InACall").await;
    receiver.items(2).await;
    server.advance(minutes(30));
    for pair in ["Away/Away", "Busy/InACall"] {
        set(&server, ADA, pair).await;
        let items = receiver.next().await.items();
        assert_eq!(items.len(), 1, "{items:?}");
        assert_eq!(items[0]["subscriptionId"], long["id"]);
    }
}

/// subscriptions-and-auth 10.5
#[tokio::test]
async fn what_has_ended_is_in_nobodys_way_and_does_not_come_back_beside_its_successor() {
    let server = TestServer::builder().notify(|settings| settings.per_owner_max = 1).start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let first = subscribe(&ada(&server), &order).await;
    server.advance(hours(1));
    let order = with(order, "expirationDateTime", from_now(&server, hours(1)));
    let second = subscribe(&ada(&server), &order).await;
    let back = json!({"expirationDateTime": from_now(&server, hours(1))});
    let answer = ada(&server).patch(&path_of(&first), &back).await;
    refused(&answer, NOT_FOUND);
    assert_eq!(listed(&ada(&server)).await, [id_of(&second)]);
}

#[tokio::test]
async fn under_strict_nothing_comes_back() {
    let server = TestServer::builder().profile(Profile::Strict).start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url(HOOK), &single(ADA))).await;
    server.advance(hours(1));
    let back = json!({"expirationDateTime": from_now(&server, hours(1))});
    refused(&ada(&server).patch(&path_of(&shown), &back).await, NOT_FOUND);
}

#[tokio::test]
async fn s30_t12_only_the_end_the_url_and_the_certificate_can_be_changed() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &rich_order(&receiver)).await;
    let path = path_of(&shown);
    let end = from_now(&server, minutes(50));
    for (name, value) in [
        ("clientState", json!("another")),
        ("changeType", json!("created")),
        ("resource", json!(single(ADA))),
        ("lifecycleNotificationUrl", json!(receiver.url("/elsewhere"))),
        ("includeResourceData", json!(false)),
        ("latestSupportedTlsVersion", json!("v1_3")),
        ("notificationQueryOptions", json!("coalesce=5")),
        ("notificationUrlAppId", json!(APP_B)),
    ] {
        let answer = ada(&server).patch(&path, &json!({"expirationDateTime": end, name: value})).await;
        refused(&answer, &format!("400 InvalidRequest The '{name}' property cannot be updated."));
        assert_eq!(ada(&server).patch(&path, &json!({name: value})).await.status, 400, "{name}");
    }
    let read = ada(&server).get(&path).await.json();
    assert_eq!(read["expirationDateTime"], shown["expirationDateTime"]);
    let same = json!({
        "expirationDateTime": end,
        "changeType": "updated",
        "resource": shown["resource"],
        "includeResourceData": true,
        "lifecycleNotificationUrl": shown["lifecycleNotificationUrl"],
    });
    let answer = ada(&server).patch(&path, &same).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["expirationDateTime"]), (200, &json!(end)));
}

#[tokio::test]
async fn s30_t12_a_new_certificate_is_used_from_the_next_item_on() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &rich_order(&receiver)).await;
    let path = path_of(&shown);
    set(&server, ADA, "Busy/InACall").await;
    let before = receiver.next().await;
    let item = before.items()[0]["encryptedContent"].clone();
    let expected =
        ["data", "dataKey", "dataSignature", "encryptionCertificateId", "encryptionCertificateThumbprint"];
    let mut names = members(&item);
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(item["encryptionCertificateId"], "hook-cert-2027-01");
    assert_eq!(item["encryptionCertificateThumbprint"], THUMBPRINT);
    assert_eq!(before.json()["validationTokens"].as_array().map(Vec::len), Some(1));

    let certificate = json!({
        "encryptionCertificate": in_base64(OTHER_CERTIFICATE),
        "encryptionCertificateId": "the second",
    });
    let answer = ada(&server).patch(&path, &certificate).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["encryptionCertificateId"]),
        (200, &json!("the second"))
    );
    set(&server, ADA, "Away/Away").await;
    let item = receiver.items(1).await[0]["encryptedContent"].clone();
    assert_eq!(item["encryptionCertificateId"], "the second");
    assert_eq!(item["encryptionCertificateThumbprint"], OTHER_THUMBPRINT);
    for half in ["encryptionCertificate", "encryptionCertificateId"] {
        let answer = ada(&server).patch(&path, &without(certificate.clone(), half)).await;
        assert_eq!(answer.status, 400, "both together, not without {half}: {answer:?}");
    }
    let basic = subscribe(&ada(&server), &order(&server, &receiver.url(HOOK), &single(BEN))).await;
    let answer = ada(&server).patch(&path_of(&basic), &certificate).await;
    assert_eq!(answer.status, 400, "there is nothing to encrypt: {answer:?}");
}

/// subscriptions-and-auth 7.6
#[tokio::test]
async fn a_new_url_is_asked_first_and_told_from_then_on() {
    let server = TestServer::start().await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let shown = subscribe(&ada(&server), &order(&server, &old.url("/"), &single(ADA))).await;
    set(&server, ADA, "Busy/InACall").await;
    old.next().await;
    let url = new.url("/moved?a=b");
    let answer = ada(&server).patch(&path_of(&shown), &json!({"notificationUrl": url})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["notificationUrl"]), (200, &json!(url)));
    assert_eq!(answer.json()["expirationDateTime"], shown["expirationDateTime"]);
    assert_eq!(new.validations().len(), 1);
    set(&server, ADA, "Away/Away").await;
    assert_eq!(new.next().await.target, "/moved?a=b");
    assert_eq!(old.seen(), 1);
}

#[tokio::test]
async fn what_is_deleted_is_told_nothing_more() {
    let server = TestServer::start().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let order = with(order, "lifecycleNotificationUrl", other.url("/"));
    let shown = subscribe(&ada(&server), &order).await;
    witness(&server, &other.url("/"), ADA).await;
    receiver.react([Reaction::Status(500)]);
    set(&server, ADA, "Busy/InACall").await;
    receiver.next().await;
    other.next().await;
    noted(&ada(&server), &shown, 1).await;
    done_without_content(&ada(&server).delete(&path_of(&shown)).await);
    // What is to be told again, and what has happened since.
    server.advance(minutes(1));
    set(&server, ADA, "Away/Away").await;
    assert_eq!(whose(&other.items(1).await[0]), ADA, "nor is there a word of its end");
    assert_eq!(receiver.seen(), 1);
    for answer in [
        ada(&server).delete(&path_of(&shown)).await,
        ada(&server).get(&path_of(&shown)).await,
        ada(&server).get(&format!("{}/porchlight.deliveries", path_of(&shown))).await,
    ] {
        refused(&answer, NOT_FOUND);
    }
}

/// subscriptions-and-auth 9.2
#[tokio::test]
async fn s30_t15_a_user_sees_and_touches_only_their_own_through_the_same_application() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(BEN));
    let owner = server.client(&format!("ada@{APP_A}:Presence.Read.All"));
    let shown = subscribe(&owner, &order).await;
    let path = path_of(&shown);
    let strangers = [
        format!("ben@{APP_A}:Presence.Read.All"),
        format!("ada@{APP_B}:Presence.Read.All"),
        format!("{APP_B}:Presence.Read.All"),
    ];
    for stranger in strangers.map(|token| server.client(&token)) {
        assert_eq!(listed(&stranger).await, Vec::<String>::new());
        let end = json!({"expirationDateTime": from_now(&server, minutes(5))});
        for answer in [
            stranger.get(&path).await,
            stranger.patch(&path, &end).await,
            stranger.delete(&path).await,
            stranger.post(&format!("{path}/reauthorize"), &json!({})).await,
            stranger.get(&format!("{path}/porchlight.deliveries")).await,
        ] {
            refused(&answer, NOT_FOUND);
        }
    }
    assert_eq!(owner.get(&path).await.json()["expirationDateTime"], shown["expirationDateTime"]);
}

/// subscriptions-and-auth 9.2
#[tokio::test]
async fn s30_t15_an_application_sees_what_was_made_through_it() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(BEN));
    let app = server.client(&format!("{APP_A}:Presence.Read.All"));
    let mut ids = Vec::new();
    for client in [ada(&server), ben_of_a(&server), app.clone()] {
        let shown = subscribe(&client, &order).await;
        ids.push(id_of(&shown).to_owned());
        server.advance(millis(1));
    }
    subscribe(&ben(&server), &order).await;
    assert_eq!(listed(&app).await, ids);
    for id in &ids {
        assert_eq!(app.get(&format!("{SUBSCRIPTIONS}/{id}")).await.json()["id"], id.as_str());
    }
    let ben = server.client(&format!("ben@{APP_A}:Presence.Read.All"));
    assert_eq!(listed(&ben).await, ids[1..2]);
}

/// subscriptions-and-auth 9.2
#[tokio::test]
async fn s30_t15_who_may_read_all_subscriptions_sees_their_own_through_every_application() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(BEN));
    let shown = subscribe(&ada(&server), &order).await;
    subscribe(&ben_of_a(&server), &order).await;
    let reader = server.client(&format!("ada@{APP_B}:Presence.Read.All,Subscription.Read.All"));
    assert_eq!(listed(&reader).await, [id_of(&shown)]);
}

/// subscriptions-and-auth 9.2, and our own permission: an operator ends what another application has left behind.
#[tokio::test]
async fn who_may_write_all_subscriptions_ends_their_own_of_every_application() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(BEN));
    let of_ada = path_of(&subscribe(&ada(&server), &order).await);
    let of_ben = path_of(&subscribe(&ben_of_a(&server), &order).await);
    let through = |permission: &str| server.client(&format!("ada@{APP_B}:Presence.Read.All,{permission}"));
    assert_eq!(through("Subscription.Read.All").delete(&of_ada).await.status, 404, "reading is not writing");
    let writer = through("Subscription.ReadWrite.All");
    assert_eq!(writer.delete(&of_ben).await.status, 404, "Ada is no administrator");
    assert_eq!(writer.delete(&of_ada).await.status, 204);
    assert_eq!(ada(&server).get(&of_ada).await.status, 404);

    let strict = TestServer::builder().profile(Profile::Strict).start().await;
    let kept = path_of(&subscribe(&ada(&strict), &order).await);
    let stranger = strict.client(&format!("ada@{APP_B}:Presence.Read.All,Subscription.ReadWrite.All"));
    assert_eq!(stranger.delete(&kept).await.status, 404, "the original has no such permission");
}

#[tokio::test]
async fn a_step_of_a_batch_subscribes_and_is_told() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let step = |id: &str, user: &str| {
        json!({
            "id": id,
            "method": "POST",
            "url": "/subscriptions",
            "headers": {"Content-Type": "application/json"},
            "body": order(&server, &receiver.url(HOOK), &single(user)),
        })
    };
    let mut steps = vec![step("ada", ADA), step("ben", BEN), step("again", ADA)];
    steps[2]["dependsOn"] = json!(["ada"]);
    let answer = ada(&server).post(BATCH, &json!({"requests": steps})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answers = answer.json()["responses"].as_array().expect("a list").clone();
    let statuses: Vec<u64> = answers.iter().filter_map(|one| one["status"].as_u64()).collect();
    assert_eq!(statuses, [201, 201, 409]);
    let location = answers[0]["headers"]["Location"].as_str().expect("where it lives");
    assert_eq!(location, format!("{}{}", server.url(), path_of(&answers[0]["body"])));
    set(&server, BEN, "Busy/InACall").await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!((whose(&item), &item["subscriptionId"]), (BEN, &answers[1]["body"]["id"]));
    let read =
        json!({"id": "1", "method": "GET", "url": format!("/subscriptions/{}", id_of(&answers[0]["body"]))});
    let delete = json!({"id": "2", "method": "DELETE", "url": read["url"], "dependsOn": ["1"]});
    let answer = ada(&server).post(BATCH, &json!({"requests": [read, delete]})).await.json();
    assert_eq!(answer["responses"][0]["body"]["id"], answers[0]["body"]["id"]);
    assert_eq!(answer["responses"][1]["status"], 204);
}

/// subscriptions-and-auth 17.10
#[tokio::test]
async fn subscriptions_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || TestServer::builder().data(folder.path());
    let receiver = Receiver::start().await;
    let server = builder().start().await;
    let shown = subscribe(&ada(&server), &rich_order(&receiver)).await;
    let path = path_of(&shown);
    let before = redacted(&server, &ada(&server).get(&path).await.json());
    server.stop();
    let server = builder().start_at(START + 60_000).start().await;
    assert_eq!(redacted(&server, &ada(&server).get(&path).await.json()), before);
    assert_eq!(listed(&ada(&server)).await, [id_of(&shown)]);
    let again = ada(&server).post(SUBSCRIPTIONS, &rich_order(&receiver)).await;
    assert!(again.error().contains(id_of(&shown)), "{again:?}");
    set(&server, ADA, "Busy/InACall").await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(item["clientState"], "b2c9-not-a-real-secret");
    assert_eq!(item["encryptedContent"]["encryptionCertificateThumbprint"], THUMBPRINT);
}

#[tokio::test]
async fn an_endpoint_that_failed_is_told_at_once_when_it_has_proved_itself_anew_and_after_a_reset() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let fail = async || {
        let shown = subscribe(&ada(&server), &order).await;
        receiver.react([Reaction::Status(500)]);
        set(&server, ADA, "Busy/InACall").await;
        let delivery = receiver.next().await;
        assert_eq!(delivery.header("porchlight-attempt"), "1");
        noted(&ada(&server), &shown, 1).await;
        shown
    };
    fail().await;
    let reset = server.anonymous().call(Method::POST, "/porchlight/dev/reset", None::<&[u8]>).await;
    done_without_content(&reset);
    let shown = fail().await;
    server.advance(seconds(1));
    done_without_content(&ada(&server).delete(&path_of(&shown)).await);
    set(&server, ADA, "Away/Away").await;
    fail().await;
}

/// presence-api 22
#[tokio::test]
async fn a_reset_ends_every_subscription() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url(HOOK), &single(ADA));
    let shown = subscribe(&ada(&server), &order).await;
    let reset = server.anonymous().call(Method::POST, "/porchlight/dev/reset", None::<&[u8]>).await;
    done_without_content(&reset);
    refused(&ada(&server).get(&path_of(&shown)).await, NOT_FOUND);
    assert_eq!(listed(&ada(&server)).await, Vec::<String>::new());
    let next = subscribe(&ada(&server), &order).await;
    set(&server, ADA, "Busy/InACall").await;
    let items = receiver.next().await.items();
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["subscriptionId"], next["id"]);
}
