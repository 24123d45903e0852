//! What is described is what there is: each path and method, held against the tables that decide of them.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value};

use super::document::document;
use super::facts::Facts;
use crate::graph;
use crate::issuer::Endpoint;
use crate::resource::{Action, Resource};
use crate::route::Route;
use crate::routes::keys::Document;
use crate::scim;
use crate::settings::Profile;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The description of a development server, without its limits.
fn described(profile: Profile) -> Value {
    document(&Facts { profile, is_development: true, limits: Vec::new() })
}

fn paths(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    document["paths"].as_object().expect("paths").iter().map(|(path, item)| (path.as_str(), item))
}

/// A path with keys that lead somewhere.
fn with_keys(path: &str) -> String {
    path.replace("{tenant}", "common").replace("{authority}", "common").replace("{account}", "ada")
}

/// The methods that a path takes; `None` where no table says so.
fn methods(path: &str, profile: Profile) -> Option<BTreeSet<&'static str>> {
    let methods = |methods: &[&'static str]| Some(methods.iter().copied().collect());
    if let Some(below) = scim::below(path) {
        return methods(scim::methods(below).expect("there is something"));
    }
    if path.starts_with("/porchlight/") {
        return None;
    }
    if let Some(endpoint) = Endpoint::at(path) {
        return methods(endpoint.methods());
    }
    if Document::at(path).is_some() {
        return methods(&["GET", "HEAD"]);
    }
    let resource = resource(path);
    let is_taken = |name: &&str| {
        let method = name.parse::<Method>().expect("a method");
        graph::check_method(&method, &resource, profile).is_ok()
    };
    Some(METHODS.into_iter().filter(is_taken).collect())
}

fn resource(path: &str) -> Resource<'_> {
    Resource::parse(&path[1..]).unwrap_or_else(|error| panic!("{path}: {error:?}"))
}

/// Whether a route is one of Graph's surface: then a resource leads to it.
fn is_of_graph(route: Route) -> bool {
    match route {
        Route::ServiceDocument
        | Route::Metadata
        | Route::Batch
        | Route::User
        | Route::Users
        | Route::Presence
        | Route::Action
        | Route::Explain
        | Route::Presences
        | Route::PresencesCount
        | Route::PresencesDelta
        | Route::PresencesByUserId
        | Route::Subscriptions
        | Route::Subscription
        | Route::Reauthorize
        | Route::Deliveries => true,
        Route::None
        | Route::Options
        | Route::Operations
        | Route::Unknown
        | Route::Keys
        | Route::Issuer
        | Route::Board
        | Route::Scim => false,
    }
}

/// Every text and where it stands: the name of the member around it.
fn texts<'v>(name: &'v str, value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::String(text) => found.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| texts(name, item, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| texts(name, member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn each_path_is_described_with_the_methods_that_it_takes() {
    for profile in [Profile::Open, Profile::Strict] {
        let document = described(profile);
        for (path, item) in paths(&document) {
            let has = |method: &&str| item.get(method.to_ascii_lowercase()).is_some();
            let described: BTreeSet<&str> = METHODS.into_iter().filter(has).collect();
            assert!(!described.is_empty(), "{path}");
            if let Some(methods) = methods(&with_keys(path), profile) {
                assert_eq!(described, methods, "{path}");
            }
        }
    }
}

#[test]
fn every_resource_and_every_action_is_described() {
    let document = described(Profile::Open);
    let of_graph = || paths(&document).filter(|(_, item)| item.get("servers").is_none());
    let described: Vec<Route> = of_graph().map(|(path, _)| graph::route(&resource(path))).collect();
    for route in Route::ALL.into_iter().filter(|route| is_of_graph(*route)) {
        assert!(described.contains(&route), "{route:?}");
    }
    for root in ["/me/presence", "/users/{user}/presence", "/communications/presences/{user}"] {
        for action in Action::ALL {
            let path = format!("{root}/{}", action.name());
            assert!(of_graph().any(|(known, _)| known == path), "{path}");
        }
    }
}

#[test]
fn what_is_referred_to_is_there_and_names_of_operations_are_their_own() {
    let document = described(Profile::Open);
    let mut found = Vec::new();
    texts("", &document, &mut found);
    let operations = paths(&document).filter_map(|(_, item)| item.as_object()).flat_map(Map::values);
    let mut names = BTreeSet::new();
    for name in operations.filter_map(|operation| operation["operationId"].as_str()) {
        assert!(names.insert(name), "{name}");
    }
    for (name, text) in found {
        match name {
            "$ref" => {
                let place = text.strip_prefix('#').and_then(|place| document.pointer(place));
                assert!(place.is_some(), "{text}");
            }
            // Links name operations too.
            "operationId" => assert!(names.contains(text), "{text}"),
            _ => {}
        }
    }
    assert!(names.len() > 100, "{names:?}");
}

#[test]
fn only_development_has_levers() {
    let facts = Facts { profile: Profile::Open, is_development: false, limits: Vec::new() };
    let document = document(&facts);
    let is_lever = |path: &str| path.starts_with("/porchlight/dev/") || path.contains("/oauth2/");
    assert!(!paths(&document).any(|(path, _)| is_lever(path)));
    assert!(paths(&described(Profile::Open)).any(|(path, _)| is_lever(path)));
}

#[test]
fn every_list_of_values_is_known() {
    let document = described(Profile::Open);
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, member) in [
        ("Availability", "enum"),
        ("Activity", "enum"),
        ("NewSession", "anyOf"),
        ("Preference", "anyOf"),
        ("StandingPair", "anyOf"),
    ] {
        assert!(schemas[name][member].as_array().is_some_and(|values| values.len() > 4), "{name}");
    }
    for name in ["SelectPresence", "SelectUser"] {
        let schema = &document["components"]["parameters"][name]["schema"];
        assert!(schema["items"]["enum"].as_array().is_some_and(|values| values.len() > 4), "{name}");
    }
}
