//! Which calls need which permission: one table, which `docs/PERMISSIONS.md` is made from.
//!
//! Source: presence-api 5.2 and 5.3; subscriptions-and-auth 5 and 24.2.

use super::{Caller, Permission, Permissions};

/// What some calls need: any one permission of those of the token's kind.
#[derive(Debug)]
pub(crate) struct Right {
    /// The calls, for the page.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page is made by a test"))]
    calls: &'static str,
    /// What will do for a user's delegate.
    delegated: Permissions,
    /// What will do for an application of its own right.
    application: Permissions,
}

const NONE: Permissions = Permissions::of(&[]);
const READ_OWN: Permissions =
    Permissions::of(&[Permission::PresenceRead, Permission::PresenceReadAll, Permission::PresenceReadWrite]);
const READ_AS_APPLICATION: Permissions =
    Permissions::of(&[Permission::PresenceReadAll, Permission::PresenceReadWriteAll]);

impl Right {
    pub(crate) const READ_ONESELF: Right = Right {
        calls: "GET one's own presence by `/me/presence`, `/users/{id}/presence` or `/communications/presences/{id}`, \
                whole, as a stream or as `porchlight.explain`; POST `/communications/getPresencesByUserId` with \
                nobody's id but one's own",
        delegated: READ_OWN,
        application: READ_AS_APPLICATION,
    };
    pub(crate) const READ_ANYBODY: Right = Right {
        calls: "GET the presence of others by the same paths; GET `/communications/presences`, `…/$count` and \
                `…/delta`; POST `/communications/getPresencesByUserId`",
        delegated: Permissions::of(&[Permission::PresenceReadAll]),
        application: READ_AS_APPLICATION,
    };
    pub(crate) const WRITE: Right = Right {
        calls: "POST `setPresence`, `clearPresence`, `setUserPreferredPresence`, `clearUserPreferredPresence`, \
                `setStatusMessage`; PATCH and DELETE of a presence. A user's delegate writes that user's own only",
        delegated: Permissions::of(&[Permission::PresenceReadWrite]),
        application: Permissions::of(&[Permission::PresenceReadWriteAll]),
    };
    pub(crate) const WRITE_LOCATION: Right = Right {
        calls: "POST `setAutomaticLocation`, `setManualLocation`, `clearAutomaticLocation`, `clearLocation`; one's own \
                only",
        delegated: Permissions::of(&[Permission::PresenceReadWrite]),
        application: NONE,
    };
    pub(crate) const BE_TOLD_OF_ONESELF: Right = Right {
        calls: "Subscriptions to one's own presence: create, read, renew, delete (profile `open`)",
        delegated: READ_OWN,
        application: READ_AS_APPLICATION,
    };
    pub(crate) const BE_TOLD: Right = Right {
        calls: "Subscriptions to the presence of others: create, read, renew, delete (profile `open`)",
        delegated: Permissions::of(&[Permission::PresenceReadAll]),
        application: READ_AS_APPLICATION,
    };
    pub(crate) const BE_TOLD_STRICTLY: Right = Right {
        calls: "Subscriptions: create, read, renew, delete (profile `strict`)",
        delegated: Permissions::of(&[Permission::PresenceReadAll]),
        application: NONE,
    };
    pub(crate) const SEE_SUBSCRIPTIONS_OF_OTHERS: Right = Right {
        calls: "GET subscriptions that other applications have made for the user; for a Global Administrator those of \
                everybody in the tenant",
        delegated: Permissions::of(&[Permission::SubscriptionReadAll, Permission::SubscriptionReadWriteAll]),
        application: NONE,
    };
    pub(crate) const END_SUBSCRIPTIONS_OF_OTHERS: Right = Right {
        calls: "DELETE of those (profile `open`)",
        delegated: Permissions::of(&[Permission::SubscriptionReadWriteAll]),
        application: NONE,
    };
    pub(crate) const READ_PEOPLE: Right = Right {
        calls: "GET `/users` and `/users/{id}` of others (profile `open`); one's own needs no permission",
        delegated: READ_PEOPLE.or(Permissions::of(&[Permission::PresenceReadAll])),
        application: READ_PEOPLE.or(Permissions::of(&[Permission::PresenceReadAll])),
    };
    pub(crate) const READ_PEOPLE_STRICTLY: Right = Right {
        calls: "GET `/users` and `/users/{id}` of others (profile `strict`); one's own needs no permission",
        delegated: READ_PEOPLE,
        application: READ_PEOPLE,
    };
    pub(crate) const READ_BY_SCIM: Right =
        Right { calls: "Reading by SCIM", delegated: READ_BY_SCIM, application: READ_BY_SCIM };
    pub(crate) const WRITE_PEOPLE: Right = Right {
        calls: "POST `/users`; PATCH and DELETE of a user; writing by SCIM. A user's delegate only for a Global \
                Administrator (`wids`, `auth.administrators`)",
        delegated: Permissions::of(&[Permission::UserReadWriteAll]),
        application: Permissions::of(&[Permission::UserReadWriteAll]),
    };

    /// The permissions of which any one will do for a user's delegate.
    pub(crate) fn of_delegates(&self) -> Permissions {
        self.delegated
    }

    /// The permissions of which any one will do for an application of its own right.
    pub(crate) fn of_applications(&self) -> Permissions {
        self.application
    }

    /// The permissions of which any one will do for this caller.
    pub(crate) fn of(&self, caller: &Caller) -> Permissions {
        if caller.user.is_some() { self.delegated } else { self.application }
    }
}

const READ_PEOPLE: Permissions =
    Permissions::of(&[Permission::UserReadBasicAll, Permission::UserReadAll, Permission::UserReadWriteAll]);

const READ_BY_SCIM: Permissions = Permissions::of(&[Permission::UserReadAll, Permission::UserReadWriteAll]);

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: [&Right; 13] = [
        &Right::READ_ONESELF,
        &Right::READ_ANYBODY,
        &Right::WRITE,
        &Right::WRITE_LOCATION,
        &Right::BE_TOLD_OF_ONESELF,
        &Right::BE_TOLD,
        &Right::BE_TOLD_STRICTLY,
        &Right::SEE_SUBSCRIPTIONS_OF_OTHERS,
        &Right::END_SUBSCRIPTIONS_OF_OTHERS,
        &Right::READ_PEOPLE,
        &Right::READ_PEOPLE_STRICTLY,
        &Right::READ_BY_SCIM,
        &Right::WRITE_PEOPLE,
    ];

    /// The ids by which the original knows a permission, delegated and of applications. Source: subscriptions-and-auth
    /// 24.1; those of people are Microsoft Graph's, too.
    fn ids(permission: Permission) -> (&'static str, &'static str) {
        match permission {
            Permission::PresenceRead => ("76bc735e-aecd-4a1d-8b4c-2b915deabb79", ""),
            Permission::PresenceReadAll => {
                ("9c7a330d-35b3-4aa1-963d-cb2b9f927841", "a70e0c2d-e793-494c-94c4-118fa0a67f42")
            }
            Permission::PresenceReadWrite => ("8d3c54a7-cf58-4773-bf81-c0cd6ad522bb", ""),
            Permission::PresenceReadWriteAll => ("", "83cded22-8297-4ff6-a7fa-e97e9545a259"),
            Permission::UserReadBasicAll
            | Permission::UserReadAll
            | Permission::UserReadWriteAll
            | Permission::SubscriptionReadAll
            | Permission::SubscriptionReadWriteAll => ("", ""),
        }
    }

    fn page() -> String {
        let mut page = "# Who may do what\n\n\
            Made from the table in `crates/http/src/auth/matrix.rs`; a test holds the two together.\n\n\
            A token is a user's delegate's or an application's own (`idtyp`; else by having `scp` or `roles`). Any one of \
            the permissions named will do; without one the answer is 403, which names them. Names compare without case, \
            and what stands before the last `/` does not count: `api://porchlight/Presence.Read` is `Presence.Read`. \
            `/me` is for delegates only. Nobody ever sees anything of another tenant.\n\n\
            | Calls | A user's delegate | An application |\n| --- | --- | --- |\n"
            .to_owned();
        let list = |permissions: Permissions| {
            let names: Vec<String> = permissions.names().map(|name| format!("`{name}`")).collect();
            if names.is_empty() { "refused".to_owned() } else { names.join(", ") }
        };
        page.extend(MATRIX.map(|right| {
            format!("| {} | {} | {} |\n", right.calls, list(right.delegated), list(right.application))
        }));
        page += "| `$metadata`, the service document, discovery documents and keys, `/porchlight/health`, \
                 `/porchlight/cluster`, `/porchlight/limits`, `/porchlight/metrics`, `/porchlight/openapi.json` \
                 | no token | no token |\n\n\
                 ## The permissions\n\n\
                 Those with an id are Microsoft Graph's own and have the same there.\n\n\
                 | Permission | Delegates | Applications |\n| --- | --- | --- |\n";
        page.extend(Permission::ALL.map(|permission| {
            let (delegated, application) = ids(permission);
            let of_kind = |kind: Permissions, id: &str| match (kind.any(Permissions::of(&[permission])), id) {
                (false, _) => "–".to_owned(),
                (true, "") => "yes".to_owned(),
                (true, id) => format!("`{id}`"),
            };
            let delegated = of_kind(Permissions::DELEGATED, delegated);
            let application = of_kind(Permissions::APPLICATION, application);
            format!("| `{}` | {delegated} | {application} |\n", permission.name())
        }));
        page
    }

    #[test]
    fn the_page_says_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/PERMISSIONS.md");
        if std::env::var_os("PORCHLIGHT_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).expect("the page can be written");
        }
        let written = std::fs::read_to_string(path).expect("the page is there");
        assert_eq!(
            written,
            page(),
            "write it anew: PORCHLIGHT_WRITE_DOCS=1 cargo test -p porchlight-http the_page"
        );
    }

    #[test]
    fn no_call_needs_what_a_token_of_its_kind_cannot_have() {
        for right in MATRIX {
            assert_eq!(right.delegated.and(Permissions::DELEGATED), right.delegated, "{}", right.calls);
            assert_eq!(right.application.and(Permissions::APPLICATION), right.application, "{}", right.calls);
        }
    }
}
