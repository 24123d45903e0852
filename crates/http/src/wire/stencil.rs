//! The members of a presence that is a pair and nothing else, copied rather than written.
//!
//! Nearly every presence is one. Its members are written once for each pair, and what is each user's own is
//! put over the copies.

use std::sync::LazyLock;

use porchlight_presence::{Activity, Availability, Pair, Presence, Timestamp, UserId};
use uuid::Uuid;

use crate::odata::Select;
use crate::wire::guid;
use crate::wire::object::{Object, member};
use crate::wire::presence::{Reader, SEQUENCE_NUMBER_LENGTH, sequence_number, write_each_member};

/// The members of each pair, of a user and an instant of zeros.
static STENCILS: LazyLock<[[Vec<u8>; Activity::ALL.len()]; Availability::ALL.len()]> = LazyLock::new(|| {
    Availability::ALL.map(|availability| Activity::ALL.map(|activity| cut(Pair { availability, activity })))
});

/// Where the id begins: behind the quote.
const ID: usize = member!("id").0.len() + 1;

/// How many bytes from the end the sequence number begins.
const NUMBER_TO_END: usize = SEQUENCE_NUMBER_LENGTH
    + "\"".len()
    + member!("statusMessage").0.len()
    + "null".len()
    + member!("workLocation").0.len()
    + "null".len();

/// Appends all members of a presence that is nothing but a pair.
pub(super) fn write_members(object: &mut Object<'_>, user: UserId, pair: Pair, changed_at: Timestamp) {
    let members = object.members(&STENCILS[pair.availability as usize][pair.activity as usize]);
    let id = members[ID..].first_chunk_mut().expect("the id is not the last member");
    guid::put(user.0, id);
    let number = members.len() - NUMBER_TO_END;
    members[number..number + SEQUENCE_NUMBER_LENGTH].copy_from_slice(&sequence_number(changed_at));
}

fn cut(pair: Pair) -> Vec<u8> {
    let mut members = Vec::new();
    let presence = Presence { pair, ..Presence::NOTHING };
    let nobody = UserId(Uuid::nil());
    write_each_member(&mut Object::open(&mut members), nobody, &presence, Reader::Another, &Select::ALL);
    members
}
