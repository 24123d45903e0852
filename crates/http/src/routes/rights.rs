//! Who may do what to whom. Source: presence-api 5.2 to 5.4.

use porchlight_engine::{Tenant, View};
use porchlight_presence::{Timestamp, UserId};

use crate::auth::{Caller, Permission, Permissions};
use crate::call::Call;
use crate::error::Error;
use crate::resource::UserKey;
use crate::wire::presence::Reader;

const READ_OWN: Permissions =
    Permissions::of(&[Permission::PresenceRead, Permission::PresenceReadAll, Permission::PresenceReadWrite]);
const READ_ANYBODY: Permissions = Permissions::of(&[Permission::PresenceReadAll]);
const READ_AS_APPLICATION: Permissions =
    Permissions::of(&[Permission::PresenceReadAll, Permission::PresenceReadWriteAll]);
const WRITE_OWN: Permissions = Permissions::of(&[Permission::PresenceReadWrite]);
const WRITE_AS_APPLICATION: Permissions = Permissions::of(&[Permission::PresenceReadWriteAll]);

impl Caller {
    /// Refuses a caller without any of `required`.
    ///
    /// # Errors
    ///
    /// E4.
    pub(super) fn require(&self, required: Permissions) -> Result<(), Error> {
        if self.permissions.any(required) {
            Ok(())
        } else {
            Err(Error::MissingPermission { required, present: self.permissions })
        }
    }

    /// Whether `user` is the caller.
    pub(super) fn is(&self, user: UserId) -> bool {
        self.user == Some(user)
    }

    /// How the caller sees `user`.
    pub(super) fn reader(&self, user: UserId) -> Reader {
        if self.is(user) { Reader::TheUser } else { Reader::Another }
    }

    /// Refuses a caller who may not read this user's presence, or that of somebody who is not there.
    ///
    /// # Errors
    ///
    /// E4.
    fn may_read(&self, user: Option<UserId>) -> Result<(), Error> {
        let own = user.is_some_and(|user| self.is(user));
        if own { self.may_read_own() } else { self.may_read_everybody() }
    }

    /// Refuses a caller who may not read everybody's presence.
    ///
    /// # Errors
    ///
    /// E4.
    pub(super) fn may_read_everybody(&self) -> Result<(), Error> {
        self.require(if self.user.is_some() { READ_ANYBODY } else { READ_AS_APPLICATION })
    }

    /// Refuses a caller who may not even read their own presence.
    ///
    /// # Errors
    ///
    /// E4, naming what would do for `required` users.
    pub(super) fn may_read_own(&self) -> Result<(), Error> {
        self.require(if self.user.is_some() { READ_OWN } else { READ_AS_APPLICATION })
    }
}

/// The user that `key` means, whom the caller may read.
///
/// # Errors
///
/// E6, E4, E7.
pub(super) fn readable(call: &Call<'_>, tenant: &Tenant, key: &UserKey<'_>) -> Result<UserId, Error> {
    let user = resolve(call.caller, tenant, key)?;
    call.caller.may_read(user)?;
    user.ok_or_else(|| not_found(key))
}

/// The user that `key` means, whom the caller may read, and the view at `now`: one look into the table for both.
///
/// # Errors
///
/// E6, E4, E7.
pub(super) fn seen(call: &Call<'_>, key: &UserKey<'_>, now: Timestamp) -> Result<(UserId, View), Error> {
    let (caller, tenant) = (call.caller, call.tenant());
    let seen = match key {
        UserKey::Me => {
            let user = caller.user.ok_or(Error::MeNeedsUser)?;
            Some((user, tenant.view(user, now)))
        }
        UserKey::Named(name) => tenant.look_up(name, now),
    };
    caller.may_read(seen.as_ref().map(|(user, _)| *user))?;
    seen.ok_or_else(|| not_found(key))
}

/// The user that `key` means, whom the caller may write; `delegated_only` is refused to applications.
///
/// # Errors
///
/// E6, E4, E5, E7.
pub(super) fn writable(
    call: &Call<'_>,
    tenant: &Tenant,
    key: &UserKey<'_>,
    delegated_only: bool,
) -> Result<UserId, Error> {
    let caller = call.caller;
    let user = resolve(caller, tenant, key)?;
    if caller.user.is_some() {
        caller.require(WRITE_OWN)?;
        return user.filter(|user| caller.is(*user)).ok_or(Error::AnotherUser);
    }
    if delegated_only {
        return Err(Error::MissingPermission { required: WRITE_OWN, present: caller.permissions });
    }
    caller.require(WRITE_AS_APPLICATION)?;
    user.ok_or_else(|| not_found(key))
}

/// The user that a key means, if there is one.
///
/// # Errors
///
/// E6.
pub(super) fn resolve(caller: &Caller, tenant: &Tenant, key: &UserKey<'_>) -> Result<Option<UserId>, Error> {
    match key {
        UserKey::Me => caller.user.map(Some).ok_or(Error::MeNeedsUser),
        UserKey::Named(name) => Ok(tenant.resolve(name)),
    }
}

pub(super) fn not_found(key: &UserKey<'_>) -> Error {
    match key {
        UserKey::Me => Error::UserNotFound("me".to_owned()),
        UserKey::Named(name) => Error::UserNotFound(name.clone().into_owned()),
    }
}
