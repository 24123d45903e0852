//! One of the files: the operations of one part of the API.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::document::ORIGIN;
use super::errors::{self, Form};
use super::facts::Facts;
use super::needs::Needs;
use crate::graph;
use crate::resource::Resource;
use crate::settings::Profile;

/// Where a presence stands, and what the names of operations begin with there.
const PRESENCE: [(&str, &str); 3] = [
    ("/me/presence", "me."),
    ("/users/{user}/presence", "users."),
    ("/communications/presences/{user}", "communications."),
];

/// Where a person stands.
const PERSON: [(&str, &str); 2] = [("/me", "me."), ("/users/{user}", "users.")];

/// What a file says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Family {
    tag: Tag,
    /// Whether its paths stand below a version of the API.
    #[serde(default)]
    is_versioned: bool,
    /// Which form its errors have.
    errors: Form,
    /// Statuses of errors that every operation of it has.
    always: Vec<u16>,
    /// Those of the operations that take a body.
    #[serde(default)]
    with_body: Vec<u16>,
    /// Parameters that every operation takes.
    parameters: Vec<Value>,
    /// Operations by method by path. A path may begin with `{presence}` or `{person}`, which stand in several places.
    paths: Map<String, Value>,
    #[serde(default)]
    components: Map<String, Value>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    description: String,
}

/// An operation as a file has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    operation_id: String,
    needs: Needs,
    /// Statuses of errors beside those of its file.
    #[serde(default)]
    answers: Vec<u16>,
    /// Those of its file that it does not have.
    #[serde(default)]
    never: Vec<u16>,
    responses: Map<String, Value>,
    /// What stands there as it is to be said.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Family {
    pub(super) fn read(file: &str) -> Family {
        serde_json::from_str(file).expect("the files are what they must be: a test reads them all")
    }

    /// Adds what it says to a description.
    pub(super) fn describe(&self, document: &mut Value, facts: &Facts) {
        let tag = json!({"name": self.tag.name, "description": self.tag.description});
        if let Value::Array(tags) = &mut document["tags"] {
            tags.push(tag);
        }
        for (kind, named) in &self.components {
            for (name, component) in named.as_object().into_iter().flatten() {
                document["components"][kind][name] = component.clone();
            }
        }
        for (path, operations) in &self.paths {
            for (path, prefix) in places(path) {
                let item = self.item(&path, prefix, operations, facts);
                document["paths"][path] = item;
            }
        }
    }

    /// What can be done at a path.
    fn item(&self, path: &str, prefix: &str, operations: &Value, facts: &Facts) -> Value {
        let mut item = Map::new();
        if !self.is_versioned {
            item.insert("servers".to_owned(), json!([{"url": ORIGIN}]));
        }
        let named = names(path).map(|name| json!({"$ref": format!("#/components/parameters/{name}")}));
        item.insert("parameters".to_owned(), named.chain(self.parameters.iter().cloned()).collect());
        for (method, plan) in operations.as_object().into_iter().flatten() {
            if self.is_versioned && !is_taken(path, method, facts.profile) {
                continue;
            }
            let plan = Plan::deserialize(plan).expect("the files have operations: a test reads them all");
            let operation = self.operation(plan, prefix, facts.profile);
            if method == "get" {
                item.insert("head".to_owned(), head(&operation));
            }
            item.insert(method.clone(), operation);
        }
        item.into()
    }

    /// The whole of an operation.
    fn operation(&self, plan: Plan, prefix: &str, profile: Profile) -> Value {
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([self.tag.name]));
        operation.insert("operationId".to_owned(), format!("{prefix}{}", plan.operation_id).into());
        let has_body = plan.rest.contains_key("requestBody");
        operation.extend(plan.rest);
        operation.insert("security".to_owned(), plan.needs.security(profile, prefix == "me."));
        let mut responses = Map::new();
        for (status, mut response) in plan.responses {
            if response.get("$ref").is_none() {
                let mut headers = errors::usual_headers();
                headers.extend(response["headers"].as_object().cloned().unwrap_or_default());
                response["headers"] = headers.into();
            }
            responses.insert(status, response);
        }
        let with_body = self.with_body.iter().filter(|_| has_body);
        let mut statuses: Vec<u16> =
            self.always.iter().chain(with_body).chain(&plan.answers).copied().collect();
        statuses.retain(|status| !plan.never.contains(status));
        statuses.sort_unstable();
        for status in statuses {
            let error = || errors::reference(self.errors, status);
            responses.entry(status.to_string()).or_insert_with(error);
        }
        operation.insert("responses".to_owned(), responses.into());
        operation.into()
    }
}

/// HEAD: what GET answers, without bodies.
fn head(get: &Value) -> Value {
    let mut head = get.clone();
    head["operationId"] = format!("{}.head", get["operationId"].as_str().unwrap_or_default()).into();
    if let Value::Object(members) = &mut head {
        members.shift_remove("description");
    }
    for response in head["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        match response {
            Value::Object(members) if !members.contains_key("$ref") => {
                members.shift_remove("content");
            }
            _ => *response = json!({"description": "As GET is answered, without the body."}),
        }
    }
    head
}

/// The paths that a path of a file means, and what the names of operations begin with there.
fn places(path: &str) -> Vec<(String, &'static str)> {
    let below = |roots: &[(&str, &'static str)], rest: &str| {
        roots.iter().map(|(root, prefix)| (format!("{root}{rest}"), *prefix)).collect()
    };
    if let Some(rest) = path.strip_prefix("{presence}") {
        below(&PRESENCE, rest)
    } else if let Some(rest) = path.strip_prefix("{person}") {
        below(&PERSON, rest)
    } else {
        vec![(path.to_owned(), "")]
    }
}

/// The names in the braces of a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Whether a path below the version takes a method, which depends on the profile.
fn is_taken(path: &str, method: &str, profile: Profile) -> bool {
    let resource = Resource::parse(path.strip_prefix('/').unwrap_or(path));
    let method = method.to_ascii_uppercase().parse::<Method>();
    resource.is_ok_and(|resource| {
        method.is_ok_and(|method| graph::check_method(&method, &resource, profile).is_ok())
    })
}
