//! Who may do what to whom. Source: presence-api 5.2 to 5.4; subscriptions-and-auth 5 and 9.2.

use porchlight_engine::{Tenant, View};
use porchlight_notify::{Subscription, Target};
use porchlight_presence::{Timestamp, UserId};

use crate::auth::{Caller, Permissions, Right};
use crate::call::Call;
use crate::error::Error;
use crate::resource::UserKey;
use crate::settings::{Profile, Settings};
use crate::subscription_error::{Operation, SubscriptionError};
use crate::wire::presence::Reader;

impl Caller {
    /// Refuses a caller without the right.
    ///
    /// # Errors
    ///
    /// E4.
    pub(crate) fn require(&self, right: &Right) -> Result<(), Error> {
        let required = right.of(self);
        if self.permissions.any(required) { Ok(()) } else { Err(self.lacks(required)) }
    }

    fn lacks(&self, required: Permissions) -> Error {
        Error::MissingPermission { required, present: self.permissions }
    }

    /// Whether `user` is the caller.
    pub(crate) fn is(&self, user: UserId) -> bool {
        self.user == Some(user)
    }

    /// How the caller sees `user`.
    pub(crate) fn reader(&self, user: UserId) -> Reader {
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
        self.require(&Right::READ_ANYBODY)
    }

    /// Refuses a caller who may not put people in, change and delete them.
    ///
    /// # Errors
    ///
    /// E4.
    pub(crate) fn may_write_people(&self, settings: &Settings) -> Result<(), Error> {
        self.require(&Right::WRITE_PEOPLE)?;
        // Anybody can be anybody in development mode.
        if self.user.is_none() || self.is_administrator || settings.development.is_some() {
            Ok(())
        } else {
            Err(Error::NotAdministrator)
        }
    }

    /// Refuses a caller who may not even read their own presence.
    ///
    /// # Errors
    ///
    /// E4, naming what would do for `required` users.
    pub(super) fn may_read_own(&self) -> Result<(), Error> {
        self.require(&Right::READ_ONESELF)
    }

    /// Refuses a caller who may not be told of these users.
    ///
    /// # Errors
    ///
    /// E13 of subscriptions-and-auth.
    pub(super) fn may_be_told(
        &self,
        target: &Target,
        operation: Operation,
        profile: Profile,
    ) -> Result<(), SubscriptionError> {
        let required = self.permissions_to_be_told(target, profile);
        self.require_for(operation, required)
    }

    /// Refuses a caller who may not list any subscriptions.
    ///
    /// # Errors
    ///
    /// E13 of subscriptions-and-auth.
    pub(super) fn may_list_subscriptions(&self, profile: Profile) -> Result<(), SubscriptionError> {
        // Who may be told of anybody may be told of themselves.
        let own = Target::Users(self.user.into_iter().collect());
        let others = Right::SEE_SUBSCRIPTIONS_OF_OTHERS.of(self);
        let required = self.permissions_to_be_told(&own, profile).or(others);
        self.require_for(Operation::Read, required)
    }

    fn require_for(&self, operation: Operation, required: Permissions) -> Result<(), SubscriptionError> {
        if self.permissions.any(required) {
            Ok(())
        } else {
            Err(SubscriptionError::Forbidden { operation, required, present: self.permissions })
        }
    }

    /// Any of these lets the caller be told of these users. Source: subscriptions-and-auth 5.1 to 5.3.
    fn permissions_to_be_told(&self, target: &Target, profile: Profile) -> Permissions {
        let right = match (profile, self.user, target) {
            (Profile::Strict, _, _) => Right::BE_TOLD_STRICTLY,
            (Profile::Open, Some(user), Target::Users(users)) if *users == [user] => {
                Right::BE_TOLD_OF_ONESELF
            }
            (Profile::Open, _, _) => Right::BE_TOLD,
        };
        right.of(self)
    }

    /// Whether a subscription was made by the calling application, and for the caller if that is a user.
    pub(super) fn has_made(&self, subscription: &Subscription) -> bool {
        subscription.tenant == self.tenant.id()
            && subscription.application == self.application
            && (self.user.is_none() || self.is_for_caller(subscription))
    }

    /// Whether the caller may see a subscription. Source: subscriptions-and-auth 9.2.
    pub(super) fn may_see(&self, subscription: &Subscription, profile: Profile) -> bool {
        let required = self.permissions_to_be_told(&subscription.target, profile);
        (self.has_made(subscription) && self.permissions.any(required))
            || (self.may_see_others(subscription)
                && self.permissions.any(Right::SEE_SUBSCRIPTIONS_OF_OTHERS.of(self)))
    }

    /// Whether the caller may end a subscription that another application, or somebody else, has made.
    pub(super) fn may_end(&self, subscription: &Subscription, profile: Profile) -> bool {
        profile == Profile::Open
            && self.may_see_others(subscription)
            && self.permissions.any(Right::END_SUBSCRIPTIONS_OF_OTHERS.of(self))
    }

    /// Whether a subscription is among those that `Subscription.Read.All` shows to the caller.
    fn may_see_others(&self, subscription: &Subscription) -> bool {
        self.is_for_caller(subscription) || (self.is_administrator && subscription.tenant == self.tenant.id())
    }

    /// Whether a subscription was made for the calling user, by whichever application.
    fn is_for_caller(&self, subscription: &Subscription) -> bool {
        let is_own = |user: UserId| subscription.delegated && subscription.creator == user.0;
        subscription.tenant == self.tenant.id() && self.user.is_some_and(is_own)
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
            let view = tenant.look_at(user, now).ok_or_else(|| not_found(key))?;
            Some((user, view))
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
    if let Some(user) = user {
        call.notes.user(user);
    }
    if caller.user.is_some() {
        caller.require(&Right::WRITE)?;
        return user.filter(|user| caller.is(*user)).ok_or(Error::AnotherUser);
    }
    if delegated_only {
        return Err(caller.lacks(Right::WRITE_LOCATION.of_delegates()));
    }
    caller.require(&Right::WRITE)?;
    user.ok_or_else(|| not_found(key))
}

/// The person that `key` means, whom the caller may change and delete.
///
/// # Errors
///
/// E6, E4, E7.
pub(super) fn changeable(call: &Call<'_>, key: &UserKey<'_>) -> Result<UserId, Error> {
    let user = resolve(call.caller, call.tenant(), key)?;
    call.caller.may_write_people(call.settings)?;
    user.ok_or_else(|| not_found(key))
}

/// The user that a key means, if there is one.
///
/// # Errors
///
/// E6, and E7 for a caller who is nobody any more.
pub(super) fn resolve(caller: &Caller, tenant: &Tenant, key: &UserKey<'_>) -> Result<Option<UserId>, Error> {
    match key {
        UserKey::Me => {
            let user = caller.user.ok_or(Error::MeNeedsUser)?;
            // They may have been deleted since their token was looked at.
            if tenant.is_somebody(user) { Ok(Some(user)) } else { Err(not_found(key)) }
        }
        UserKey::Named(name) => Ok(tenant.resolve(name)),
    }
}

pub(super) fn not_found(key: &UserKey<'_>) -> Error {
    match key {
        UserKey::Me => Error::UserNotFound("me".to_owned()),
        UserKey::Named(name) => Error::UserNotFound(name.clone().into_owned()),
    }
}
