//! SCIM: PATCH, and how the identity providers depart from it. RFC 7644 3.5.2; `docs/SCIM.md` names a source for each.

use http::Method;
use porchlight_testkit::TestServer;
use serde_json::{Value, json};

use crate::scim_support::{
    ENTERPRISE, SCIM, USER, USERS, create, filter, jensen, listed, patch, provider, put, refused, user_of,
};
use crate::support::{ben, presence_of, unknown_user};

/// A server with one user who was put in, and their path.
async fn with_jensen() -> (TestServer, String) {
    let server = TestServer::start().await;
    let path = user_of(&create(&server, &jensen()).await);
    (server, path)
}

#[tokio::test]
async fn several_operations_are_done_in_their_order_or_not_at_all() {
    let (server, path) = with_jensen().await;
    let provider = provider(&server);
    let operations = json!([
        {"op": "add", "path": "title", "value": "Guide"},
        {"op": "replace", "path": "name.familyName", "value": "Jones"},
        {"op": "remove", "path": format!("{ENTERPRISE}:department")},
        {"op": "replace", "path": "title", "value": "Head Guide"},
    ]);
    let patched = provider.patch(&path, &patch(&operations)).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    let user = patched.json();
    assert_eq!((&user["title"], &user["name"]["familyName"]), (&json!("Head Guide"), &json!("Jones")));
    assert_eq!((user.get(ENTERPRISE), &user["schemas"]), (None, &json!([USER])));
    assert_eq!(patched.header("etag"), user["meta"]["version"]);
    assert_eq!(provider.get(&path).await.json(), user);

    let operations = json!([
        {"op": "replace", "path": "title", "value": "Nobody"},
        {"op": "replace", "path": "emails[value eq \"nobody\"].value", "value": "x@example.com"},
    ]);
    let detail = "The operation has no target: no value is such as its path asks for.";
    refused(&provider.patch(&path, &patch(&operations)).await, 400, "noTarget", detail);
    assert_eq!(provider.get(&path).await.json(), user);
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let (server, path) = with_jensen().await;
    let provider = provider(&server);
    let many = vec![json!({"op": "add", "path": "title", "value": "x"}); 101];
    let table = [
        (json!([]), "invalidSyntax", "The request body must be a patch with Operations."),
        (json!(many), "tooMany", "A patch can have at most 100 operations."),
        (json!([{"op": "remove"}]), "noTarget", "The operation has no target: a remove needs a path."),
        (json!([{"op": "add", "path": "a b", "value": 1}]), "invalidPath", "The path 'a b' is not valid."),
        (
            json!([{"op": "remove", "path": "userName"}]),
            "mutability",
            "The attribute 'userName' cannot be changed like this.",
        ),
        (
            json!([{"op": "replace", "path": "id", "value": "8"}]),
            "mutability",
            "The attribute 'id' cannot be changed like this.",
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "perhaps"}]),
            "invalidValue",
            "The value of 'active' must be true or false.",
        ),
        (
            json!([{"op": "replace", "path": "userName", "value": ""}]),
            "invalidValue",
            "The value of 'userName' must be there, and no empty text.",
        ),
    ];
    for (operations, kind, detail) in table {
        refused(&provider.patch(&path, &patch(&operations)).await, 400, kind, detail);
    }
    let detail = "The userName 'ada@porchlight.example' is somebody else's.";
    let rename = json!([{"op": "replace", "path": "userName", "value": "ada@porchlight.example"}]);
    refused(&provider.patch(&path, &patch(&rename)).await, 409, "uniqueness", detail);
    let mut expected = provider.get(&path).await.json();
    expected.as_object_mut().expect("an object").retain(|name, _| jensen().get(name).is_some());
    assert_eq!(expected, jensen(), "nothing has changed");
}

/// Entra ID sends operations with capitals, and truth values as texts, in a list or not.
#[tokio::test]
async fn entra_id_disables_and_enables_in_every_form() {
    let (server, path) = with_jensen().await;
    let provider = provider(&server);
    let id = path.rsplit('/').next().expect("an id");
    let signs_in = async || server.client(&format!("{id}:")).get("/v1.0/me/presence").await.status == 200;
    let table = [
        (json!({"op": "Replace", "path": "active", "value": "False"}), false),
        (json!({"op": "Replace", "path": "active", "value": "True"}), true),
        (json!({"op": "replace", "path": "active", "value": [{"$ref": null, "value": "false"}]}), false),
        (json!({"op": "Add", "path": "active", "value": true}), true),
        (json!({"op": "replace", "value": {"active": "False"}}), false),
    ];
    for (operation, expected) in table {
        let answer = provider.patch(&path, &patch(&json!([operation]))).await;
        assert_eq!(answer.json()["active"], expected, "{operation}: {answer:?}");
        assert_eq!(signs_in().await, expected, "{operation}");
        let found = provider
            .get(&format!("{USERS}?{}", filter(&format!("id eq \"{id}\" and active eq {expected}"))))
            .await;
        assert_eq!(listed(&found).0, 1, "who is disabled is found as well");
    }
}

#[tokio::test]
async fn entra_id_changes_attributes_in_every_form() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let path = user_of(&create(&server, &json!({"userName": "mia@example.com"})).await);
    let department = format!("{ENTERPRISE}:department");
    let work = |value: &str| json!([{"value": value, "type": "work"}]);
    let table = [
        (
            json!({"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@x"}),
            "/emails",
            work("a@x"),
        ),
        (
            json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "b@x"}),
            "/emails",
            work("b@x"),
        ),
        (
            json!({"op": "Add", "path": "emails[type eq \"other\"].value", "value": "c@x"}),
            "/emails",
            work("b@x"),
        ),
        (
            json!({"op": "Replace", "path": "displayName", "value": [{"$ref": null, "value": "Mia"}]}),
            "/displayName",
            json!("Mia"),
        ),
        (json!({"op": "Add", "path": department, "value": "Ops"}), "/department", json!("Ops")),
        (
            json!({"op": "replace", "value": {
                "displayName": "Mia C.",
                "name.givenName": "Mia",
                "name.familyName": "Chen",
                department.as_str(): "Dev",
            }}),
            "/department",
            json!("Dev"),
        ),
        (
            json!({"op": "Add", "path": "name.formatted", "value": "Somebody"}),
            "/displayName",
            json!("Mia C."),
        ),
        (
            json!({"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5"}),
            "/displayName",
            json!("Mia C."),
        ),
        (json!({"op": "Remove", "path": format!("{ENTERPRISE}:manager")}), "/department", json!("Dev")),
        (json!({"op": "Remove", "path": "displayName"}), "/displayName", json!("Mia Chen")),
        (json!({"op": "Remove", "path": "emails[type eq \"work\"].value"}), "/emails", Value::Null),
    ];
    for (operation, place, expected) in table {
        let answer = provider.patch(&path, &patch(&json!([operation]))).await;
        assert_eq!(answer.status, 200, "{operation}: {answer:?}");
        let mut user = provider.get(&path).await.json();
        user["department"] = user[ENTERPRISE]["department"].clone();
        assert_eq!(user.pointer(place).cloned().unwrap_or_default(), expected, "{operation}");
    }
}

/// Entra ID asks for whom it would put in, puts them in, and later deletes whom it disabled.
#[tokio::test]
async fn entra_id_pushes_a_user_through_their_life() {
    const OBJECT_ID: &str = "aaaa0000-1111-4222-8333-bbbb44445555";
    let server = TestServer::start().await;
    let provider = provider(&server).header("content-type", "application/scim+json; charset=utf-8");
    let by_mail = filter("emails[type eq \"work\"].value eq \"mia@example.com\"");
    let by_name = filter("userName eq \"mia@example.com\"");
    for query in [&by_mail, &by_name] {
        assert_eq!(listed(&provider.get(&format!("{USERS}?{query}")).await), (0, vec![]));
    }
    let mia = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": OBJECT_ID,
        "userName": "mia@example.com",
        "active": true,
        "emails": [{"primary": true, "type": "work", "value": "mia@example.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Mia Chen", "familyName": "Chen", "givenName": "Mia"},
        "roles": [],
    });
    let created = provider.call(Method::POST, USERS, Some(mia.to_string())).await;
    assert_eq!((created.status.as_u16(), &created.json()["id"]), (201, &json!(OBJECT_ID)), "{created:?}");
    for query in [&by_mail, &by_name] {
        assert_eq!(listed(&provider.get(&format!("{USERS}?{query}")).await).0, 1, "{query}");
    }
    let path = user_of(&created);
    let disable = patch(&json!([{"op": "Replace", "path": "active", "value": "False"}])).to_string();
    assert_eq!(provider.call(Method::PATCH, &path, Some(disable)).await.json()["active"], false);
    assert_eq!(provider.delete(&path).await.status, 204);
    assert_eq!(ben(&server).get(&presence_of(OBJECT_ID)).await.error(), unknown_user(OBJECT_ID));
    // Whom it restores has the same id again.
    let restored = provider.call(Method::POST, USERS, Some(mia.to_string())).await;
    assert_eq!((restored.status.as_u16(), &restored.json()["id"]), (201, &json!(OBJECT_ID)), "{restored:?}");
}

/// Okta looks for the name first, replaces whole users, and disables instead of deleting.
#[tokio::test]
async fn okta_pushes_a_user_through_their_life() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let groups = provider.get(&format!("{SCIM}/Groups?count=100&startIndex=1")).await;
    assert_eq!(listed(&groups), (0, vec![]));
    let query = format!("{}&startIndex=1&count=100", filter("userName eq \"test.user@okta.local\""));
    let nobody = provider.get(&format!("{USERS}?{query}")).await;
    assert_eq!(listed(&nobody), (0, vec![]));
    assert_eq!(nobody.json()["startIndex"], 1);
    let mut okta = json!({
        "schemas": [USER],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    });
    let created = provider.post(USERS, &okta).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert!(!String::from_utf8_lossy(&created.body).contains("1mz050nq"), "passwords are forgotten");
    let path = user_of(&created);
    okta["id"] = created.json()["id"].clone();
    okta["name"]["givenName"] = "Another".into();
    okta["meta"] = json!({"resourceType": "User"});
    let replaced = put(&provider, &path, &okta).await;
    assert_eq!((replaced.status.as_u16(), &replaced.json()["name"]["givenName"]), (200, &json!("Another")));
    for active in [false, true] {
        let operation = json!([{"op": "replace", "value": {"active": active}}]);
        let answer = provider.patch(&path, &patch(&operation)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["active"]), (200, &json!(active)), "{answer:?}");
    }
    assert_eq!(
        listed(&provider.get(&format!("{USERS}?{query}")).await),
        (1, vec!["test.user@okta.local".to_owned()])
    );
}
