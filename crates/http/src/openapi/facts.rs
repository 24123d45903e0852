//! What is filled into the files: the limits in force, and values that the domain has lists of.

use porchlight_engine::Engine;
use porchlight_presence::{
    Activity, Availability, LocationType, Pair, PreferredPair, SessionPair, StandingPair,
};
use serde_json::{Value, json};

use crate::odata::Select;
use crate::routes::operations;
use crate::settings::{Profile, Settings};
use crate::wire::person::PersonSelect;

/// What a description depends on, apart from its files.
pub(super) struct Facts {
    pub(super) profile: Profile,
    pub(super) is_development: bool,
    /// As `/porchlight/limits` lists them.
    pub(super) limits: Vec<Value>,
}

impl Facts {
    /// The facts of a server with these settings.
    pub(super) fn of(engine: &Engine, notify: &porchlight_notify::Settings, settings: &Settings) -> Facts {
        Facts {
            profile: settings.profile,
            is_development: settings.development.is_some(),
            limits: operations::limits_in_force(engine, notify, settings),
        }
    }

    /// Puts in what a text such as `limit:idsPerCall`, `values:activities` or `pairs:session` stands for, wherever
    /// there is one.
    pub(super) fn fill_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(meant) = self.meant(text) {
                    *value = meant;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_in(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.fill_in(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Null for a name that nobody knows, which no schema can have there: a test looks for it.
    fn meant(&self, text: &str) -> Option<Value> {
        match text.split_once(':')? {
            ("limit", name) => Some(self.limit(name)),
            ("values", name) => Some(values(name)),
            ("pairs", name) => Some(pairs(name)),
            _ => None,
        }
    }

    fn limit(&self, name: &str) -> Value {
        let found = self.limits.iter().find(|limit| limit["name"] == name);
        found.map(|limit| limit["value"].clone()).unwrap_or_default()
    }
}

/// The values that something can have.
fn values(name: &str) -> Value {
    match name {
        "availabilities" => Availability::ALL.map(Availability::name).to_vec().into(),
        "activities" => Activity::ALL.map(Activity::name).to_vec().into(),
        "workLocationTypes" => LocationType::ALL.map(LocationType::name).to_vec().into(),
        "presenceMembers" => Select::paths().chain(["*"]).collect(),
        "userMembers" => PersonSelect::members().chain(["*"]).collect(),
        _ => Value::Null,
    }
}

/// Schemas of which a body has to fit one: each takes one pair.
fn pairs(name: &str) -> Value {
    let pairs: &[Pair] = match name {
        "session" => SessionPair::ALL,
        "preferred" => PreferredPair::ALL,
        "standing" => StandingPair::ALL,
        _ => return Value::Null,
    };
    let schema = |pair: &Pair| {
        let (availability, activity) = (pair.availability.name(), pair.activity.name());
        json!({"properties": {"availability": {"const": availability}, "activity": {"const": activity}}})
    };
    pairs.iter().map(schema).collect()
}
