//! Which token an operation needs, as OpenAPI says it: from the matrix of permissions.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{Permissions, Right};
use crate::settings::Profile;

/// What a caller needs for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Needs {
    /// Not even a token.
    Nothing,
    /// Any good token.
    Token,
    ReadOneself,
    ReadAnybody,
    Write,
    WriteLocation,
    ReadPeople,
    WritePeople,
    ReadByScim,
    BeTold,
    ListSubscriptions,
}

impl Needs {
    /// The list of requirements of which one has to be met; `/me` is for delegates alone.
    pub(super) fn security(self, profile: Profile, is_me: bool) -> Value {
        if self == Needs::Nothing {
            return json!([]);
        }
        let rights = self.rights(profile);
        let delegated = each(rights, Right::of_delegates).into_iter();
        let application = each(rights, Right::of_applications).into_iter().filter(|_| !is_me);
        let delegated = delegated.map(|permissions| json!({"delegate": permissions}));
        delegated.chain(application.map(|permissions| json!({"application": permissions}))).collect()
    }

    /// The rows of the matrix of which one will do; none where no permission is needed. Where a caller needs more for
    /// others than for themselves, what they need for themselves.
    fn rights(self, profile: Profile) -> &'static [Right] {
        match (self, profile) {
            (Needs::Nothing | Needs::Token, _) => &[],
            (Needs::ReadOneself, _) => &[Right::READ_ONESELF],
            (Needs::ReadAnybody, _) => &[Right::READ_ANYBODY],
            (Needs::Write, _) => &[Right::WRITE],
            (Needs::WriteLocation, _) => &[Right::WRITE_LOCATION],
            (Needs::ReadPeople, Profile::Open) => &[Right::READ_PEOPLE],
            (Needs::ReadPeople, Profile::Strict) => &[Right::READ_PEOPLE_STRICTLY],
            (Needs::WritePeople, _) => &[Right::WRITE_PEOPLE],
            (Needs::ReadByScim, _) => &[Right::READ_BY_SCIM],
            (Needs::BeTold, Profile::Open) => &[Right::BE_TOLD_OF_ONESELF],
            (Needs::BeTold, Profile::Strict) => &[Right::BE_TOLD_STRICTLY],
            (Needs::ListSubscriptions, Profile::Open) => {
                &[Right::BE_TOLD_OF_ONESELF, Right::SEE_SUBSCRIPTIONS_OF_OTHERS]
            }
            (Needs::ListSubscriptions, Profile::Strict) => {
                &[Right::BE_TOLD_STRICTLY, Right::SEE_SUBSCRIPTIONS_OF_OTHERS]
            }
        }
    }
}

/// Each permission that will do, in a list of its own: those in one list would be needed together.
fn each(rights: &[Right], of: fn(&Right) -> Permissions) -> Vec<Value> {
    if rights.is_empty() {
        return vec![json!([])];
    }
    let all = rights.iter().map(of).fold(Permissions::default(), Permissions::or);
    all.names().map(|name| json!([name])).collect()
}
