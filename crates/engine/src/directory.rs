//! The directory: a tenant's people, found by id, user principal name or mail address.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hashbrown::HashTable;
use parking_lot::RwLock;
use porchlight_presence::{Timestamp, UserId};
use porchlight_store::{Entry, Revision};
use rapidhash::fast::RandomState;

use crate::person::{self, Person, PersonV1, PersonV2};
use crate::slab::Slab;

/// The people of one tenant.
#[derive(Debug, Default)]
pub struct Directory {
    people: RwLock<People>,
    /// Counts the entries that were put in or taken out, and how often somebody was disabled.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct People {
    slots: Slab<Slot>,
    by_id: HashTable<u32>,
    /// By the hash of the name's part before the `@` in ASCII lower case, so that short names are found too.
    by_name: HashTable<u32>,
    /// By the hash of the address in ASCII lower case; several people may share one.
    by_mail: HashTable<u32>,
    ordered: BTreeSet<UserId>,
    /// The newest append that wrote an entry.
    newest: Revision,
    /// Whose deletion was written up to here is not remembered as deleted.
    begun_anew: Revision,
    /// Claims of names that nobody in the directory has: given up, or of a person whose entry is still to come.
    claims: HashMap<Box<str>, Claim>,
    hash: RandomState,
}

/// Where an entry is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its revision, which whoever writes over it expects.
    pub(crate) revision: Revision,
    /// The append that wrote it. It stays when the log moves the entry, and nobody is told then.
    pub(crate) written: Revision,
}

impl From<&Entry> for Place {
    fn from(entry: &Entry) -> Place {
        Place { revision: entry.revision, written: entry.written }
    }
}

/// The claim of a name that nobody in the directory has.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    revision: Revision,
    /// Who has claimed it, and when that was seen here; `None` when it was given up.
    by: Option<(UserId, Timestamp)>,
}

#[derive(Debug)]
struct Slot {
    user: UserId,
    place: Place,
    /// The revision of the claim of the person's name.
    claim: Revision,
    /// The entry as the log keeps it; empty for a person who was deleted.
    entry: Box<[u8]>,
}

impl Directory {
    /// A number that moves with every change, and whenever somebody is disabled: while it stays, whoever was found, and
    /// was not disabled, would be again. It has to be read before the search that it is to vouch for.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Moves the version on.
    pub(crate) fn has_changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Whether this is somebody's id.
    pub(crate) fn contains(&self, user: UserId) -> bool {
        // Without the lock while nobody was ever put in: at the start every record of a log without people asks.
        self.version() > 0 && self.people.read().live(user).is_some()
    }

    /// The person with this id.
    pub fn person(&self, user: UserId) -> Option<Person> {
        let people = self.people.read();
        people.live(user).map(|slot| slot.entry().person(user))
    }

    /// Whether this is the id of somebody whose deletion is still known.
    pub(crate) fn was_deleted(&self, user: UserId) -> bool {
        let people = self.people.read();
        people.slot(user).is_some_and(|slot| slot.entry.is_empty() && slot.place.written > people.begun_anew)
    }

    /// Whom a user principal name means, or a mail address that exactly one person has.
    pub(crate) fn resolve(&self, name: &str) -> Option<UserId> {
        let people = self.people.read();
        people.named(name).or_else(|| people.only_one_with_mail(name))
    }

    /// Who has this user principal name.
    pub fn named(&self, user_principal_name: &str) -> Option<UserId> {
        self.people.read().named(user_principal_name)
    }

    /// Who has a user principal name that begins with this short name and an `@`; the one with the smallest id.
    pub fn short_named(&self, short_name: &str) -> Option<UserId> {
        let people = self.people.read();
        people.with_local_part(short_name).map(|slot| slot.user).min()
    }

    /// Everybody who has this mail address, in no order.
    pub fn with_mail(&self, mail: &str) -> Vec<UserId> {
        self.people.read().with_mail(mail).map(|slot| slot.user).collect()
    }

    /// Up to `most` ids after `after`, ascending.
    pub fn ids_after(&self, after: Option<UserId>, most: usize) -> Vec<UserId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.people.read().ordered.range((from, Bound::Unbounded)).take(most).copied().collect()
    }

    /// Up to `most` people after `after`, in ascending order of ids. They are decoded under the lock, so `most` says for
    /// how long nobody can be put in: a person takes about half a microsecond.
    pub fn people_after(&self, after: Option<UserId>, most: usize) -> Vec<Person> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let people = self.people.read();
        let ids = people.ordered.range((from, Bound::Unbounded)).take(most);
        ids.filter_map(|user| people.live(*user).map(|slot| slot.entry().person(*user))).collect()
    }

    /// How many people there are.
    pub fn len(&self) -> usize {
        self.people.read().ordered.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whose entries were put in, changed or taken out after `revision`.
    pub fn changed_since(&self, revision: Revision) -> Vec<UserId> {
        let people = self.people.read();
        // Nearly always nobody's, which needs no search.
        if people.newest <= revision {
            return Vec::new();
        }
        people.slots.iter().filter(|slot| slot.place.written > revision).map(|slot| slot.user).collect()
    }

    /// The append that wrote a person's entry, also of one who has left; [`Revision::NONE`] for somebody who never was
    /// there. While it stays the entry says the same.
    pub fn written(&self, user: UserId) -> Revision {
        self.place(user).written
    }

    /// Where a person's entry is in the log, also of one who has left.
    pub(crate) fn place(&self, user: UserId) -> Place {
        let people = self.people.read();
        people.slot(user).map(|slot| slot.place).unwrap_or_default()
    }

    /// The person with this id, and what whoever writes their entry expects.
    pub(crate) fn to_write(&self, user: UserId) -> (Option<Person>, Revision) {
        let people = self.people.read();
        let person = people.live(user).map(|slot| slot.entry().person(user));
        (person, people.slot(user).map_or(Revision::NONE, |slot| slot.place.revision))
    }

    /// Puts an entry in, or takes it out when `entry` is `None`, unless what is there is newer. Returns whether the
    /// person is in the directory now; nothing when that is no news: the entry was there before.
    pub(crate) fn install(
        &self,
        user: UserId,
        place: Place,
        entry: Option<&Bytes>,
    ) -> Result<Option<bool>, String> {
        if let Some(entry) = entry {
            person::decode(entry)?;
        }
        let mut people = self.people.write();
        if !people.install(user, place, entry.map(|entry| entry.as_ref().into()).unwrap_or_default()) {
            return Ok(None);
        }
        self.has_changed();
        Ok(Some(people.live(user).is_some()))
    }

    /// The revision of the claim of a name in lower case.
    pub(crate) fn claim(&self, name: &str) -> Revision {
        let people = self.people.read();
        let claimed = people.named(name).and_then(|user| people.slot(user)).map(|slot| slot.claim);
        claimed.or_else(|| people.claims.get(name).map(|claim| claim.revision)).unwrap_or_default()
    }

    /// Who has claimed a name that nobody in the directory has, and when that was seen here.
    pub(crate) fn claimed_by(&self, name: &str) -> Option<(UserId, Timestamp)> {
        let people = self.people.read();
        people.claims.get(name.to_ascii_lowercase().as_str()).and_then(|claim| claim.by)
    }

    /// Notes the claim of a name in lower case, unless what is known is newer; `by`: as [`Directory::claimed_by`] tells.
    pub(crate) fn install_claim(&self, name: &str, revision: Revision, by: Option<(UserId, Timestamp)>) {
        let mut people = self.people.write();
        if let Some(index) = people.named(name).and_then(|user| people.index(user)) {
            let claim = &mut people.slots[index as usize].claim;
            *claim = revision.max(*claim);
            return;
        }
        let claim = people.claims.entry(name.into()).or_default();
        if revision > claim.revision {
            *claim = Claim { revision, by };
        }
    }

    /// Forgets a claim that was given up; also that of somebody who is still there, since a deletion that was begun gives
    /// up the name first.
    pub(crate) fn purge_claim(&self, name: &str, revision: Revision) {
        let mut people = self.people.write();
        if people.claims.get(name).is_some_and(|claim| claim.revision == revision) {
            people.claims.remove(name);
        } else if let Some(index) = people.named(name).and_then(|user| people.index(user)) {
            let slot = &mut people.slots[index as usize];
            if slot.claim == revision {
                slot.claim = Revision::NONE;
            }
        }
    }

    /// Development begins anew: who was deleted so far may come back like anybody else.
    pub(crate) fn forget_deleted(&self) {
        let mut people = self.people.write();
        people.begun_anew = people.newest;
    }

    /// Forgets that a person was deleted.
    pub(crate) fn purge(&self, user: UserId, revision: Revision) {
        let mut people = self.people.write();
        if let Some(index) = people.index(user) {
            let slot = &mut people.slots[index as usize];
            if slot.place.revision == revision && slot.entry.is_empty() {
                slot.place = Place::default();
            }
        }
    }
}

/// What a user principal name has before its `@`.
fn local_part(name: &str) -> &str {
    name.split_once('@').map_or(name, |(local, _)| local)
}

impl Slot {
    fn entry(&self) -> PersonV2<'_> {
        person::decode(&self.entry).expect("an entry was decoded before it was put in")
    }

    /// What people are found by.
    fn fields(&self) -> PersonV1<'_> {
        self.entry().first
    }
}

impl People {
    fn index(&self, user: UserId) -> Option<u32> {
        self.by_id.find(self.hash.hash_one(user), |index| self.slots[*index as usize].user == user).copied()
    }

    fn slot(&self, user: UserId) -> Option<&Slot> {
        self.index(user).map(|index| &self.slots[index as usize])
    }

    fn live(&self, user: UserId) -> Option<&Slot> {
        self.slot(user).filter(|slot| !slot.entry.is_empty())
    }

    fn hash_text(&self, text: &str) -> u64 {
        self.hash.hash_one(text.to_ascii_lowercase())
    }

    /// Everybody whose name has this part before the `@`.
    fn with_local_part<'a>(&'a self, local: &'a str) -> impl Iterator<Item = &'a Slot> {
        let slots = self.by_name.iter_hash(self.hash_text(local)).map(|index| &self.slots[*index as usize]);
        slots.filter(move |slot| local_part(slot.fields().user_principal_name).eq_ignore_ascii_case(local))
    }

    fn named(&self, name: &str) -> Option<UserId> {
        let named = |slot: &&Slot| slot.fields().user_principal_name.eq_ignore_ascii_case(name);
        self.with_local_part(local_part(name)).find(named).map(|slot| slot.user)
    }

    /// Everybody who has this address.
    fn with_mail<'a>(&'a self, mail: &'a str) -> impl Iterator<Item = &'a Slot> {
        let slots = self.by_mail.iter_hash(self.hash_text(mail)).map(|index| &self.slots[*index as usize]);
        slots.filter(move |slot| slot.fields().mail().is_some_and(|known| known.eq_ignore_ascii_case(mail)))
    }

    fn only_one_with_mail(&self, mail: &str) -> Option<UserId> {
        let mut with_mail = self.with_mail(mail);
        let first = with_mail.next()?;
        with_mail.next().is_none().then_some(first.user)
    }

    /// Puts an entry in, unless it is not newer than what is there. Returns whether it says anything new.
    fn install(&mut self, user: UserId, place: Place, entry: Box<[u8]>) -> bool {
        let index = self.index(user).unwrap_or_else(|| self.add(user));
        let before = self.slots[index as usize].place;
        if place.revision <= before.revision {
            return false;
        }
        self.slots[index as usize].place = place;
        if place.written <= before.written {
            // The log has moved it.
            return false;
        }
        self.newest = self.newest.max(place.written);
        self.leave_claim(index);
        self.unlist(index);
        self.slots[index as usize].entry = entry;
        self.list(index);
        self.take_claim(index);
        true
    }

    fn add(&mut self, user: UserId) -> u32 {
        let index =
            u32::try_from(self.slots.len()).expect("a directory holds fewer than four billion people");
        self.slots.push(Slot { user, place: Place::default(), claim: Revision::NONE, entry: Box::default() });
        let (slots, hasher) = (&self.slots, &self.hash);
        self.by_id.insert_unique(hasher.hash_one(user), index, |index| {
            hasher.hash_one(slots[*index as usize].user)
        });
        index
    }

    /// Moves the claim of a live slot's name to the slot.
    fn take_claim(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if slot.entry.is_empty() {
            return;
        }
        let name = slot.fields().user_principal_name.to_ascii_lowercase();
        if let Some(claim) = self.claims.remove(name.as_str()) {
            self.slots[index as usize].claim = claim.revision;
        }
    }

    /// Moves the claim of a live slot's name back to the claims that nobody has. Whoever had it gives it up.
    fn leave_claim(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.entry.is_empty() || slot.claim == Revision::NONE {
            return;
        }
        let name = slot.fields().user_principal_name.to_ascii_lowercase();
        let claim = Claim { revision: std::mem::take(&mut slot.claim), by: None };
        self.claims.insert(name.into(), claim);
    }

    /// Enters a live slot into the indices of names, addresses and order.
    fn list(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if slot.entry.is_empty() {
            return;
        }
        let fields = slot.fields();
        let (slots, hasher) = (&self.slots, &self.hash);
        let hash = |text: &str| hasher.hash_one(text.to_ascii_lowercase());
        self.ordered.insert(slot.user);
        self.by_name.insert_unique(hash(local_part(fields.user_principal_name)), index, |index| {
            hash(local_part(slots[*index as usize].fields().user_principal_name))
        });
        if let Some(mail) = fields.mail() {
            self.by_mail.insert_unique(hash(mail), index, |index| {
                hash(
                    slots[*index as usize]
                        .fields()
                        .mail()
                        .expect("only people with an address are in this index"),
                )
            });
        }
    }

    /// Takes a live slot out of the indices of names, addresses and order.
    fn unlist(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if slot.entry.is_empty() {
            return;
        }
        let fields = slot.fields();
        let name = self.hash_text(local_part(fields.user_principal_name));
        let mail = fields.mail().map(|mail| self.hash_text(mail));
        let user = slot.user;
        self.ordered.remove(&user);
        if let Ok(entry) = self.by_name.find_entry(name, |other| *other == index) {
            entry.remove();
        }
        if let Some(mail) = mail
            && let Ok(entry) = self.by_mail.find_entry(mail, |other| *other == index)
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(id: u128, name: &str, mail: Option<&str>) -> Person {
        let mail = mail.map(str::to_owned);
        Person { display_name: name.to_owned(), mail, ..Person::new(UserId(Uuid::from_u128(id)), name) }
    }

    fn put(directory: &Directory, revision: u64, person: &Person) {
        directory.install(person.id, place(revision), Some(&person.encode().into())).unwrap();
    }

    fn place(revision: u64) -> Place {
        Place { revision: Revision(revision), written: Revision(revision) }
    }

    /// Somebody, at some time, who claims a name.
    const CLAIMED: Option<(UserId, Timestamp)> = Some((UserId(Uuid::from_u128(9)), Timestamp::ZERO));

    #[test]
    fn people_are_found_by_id_name_and_an_address_of_their_own() {
        let directory = Directory::default();
        let (ada, ben) =
            (person(1, "Ada@x.example", Some("office@x.example")), person(2, "ben@x.example", None));
        put(&directory, 1, &ada);
        put(&directory, 2, &ben);
        assert_eq!(directory.resolve("ADA@X.example"), Some(ada.id));
        assert_eq!(directory.resolve("office@x.example"), Some(ada.id));
        assert_eq!(directory.short_named("aDa"), Some(ada.id));
        put(&directory, 3, &person(2, "benjamin@x.example", Some("office@x.example")));
        assert_eq!(directory.resolve("office@x.example"), None, "two people share it");
        assert_eq!(directory.resolve("ben@x.example"), None, "the name was given up");
        assert_eq!(directory.resolve("benjamin@x.example"), Some(ben.id));
    }

    #[test]
    fn an_older_entry_is_ignored_and_a_deleted_person_is_gone() {
        let directory = Directory::default();
        put(&directory, 5, &person(1, "new@x", None));
        put(&directory, 4, &person(1, "old@x", None));
        assert_eq!(directory.resolve("old@x"), None);
        let id = UserId(Uuid::from_u128(1));
        assert!(directory.contains(id) && !directory.contains(UserId(Uuid::from_u128(2))));
        directory.install(id, place(6), None).unwrap();
        assert_eq!((directory.resolve("new@x"), directory.person(id), directory.len()), (None, None, 0));
        assert!(!directory.contains(id));
        assert_eq!(directory.place(id), place(6));
        assert!(directory.was_deleted(id));
        directory.purge(id, Revision(6));
        assert!(!directory.was_deleted(id), "nobody knows any more");
    }

    #[test]
    fn a_claim_follows_the_name_from_person_to_person() {
        let directory = Directory::default();
        directory.install_claim("ada@x", Revision(1), CLAIMED);
        assert_eq!(directory.claimed_by("Ada@x"), CLAIMED);
        put(&directory, 2, &person(1, "Ada@x", None));
        assert_eq!((directory.claim("ada@x"), directory.claimed_by("ada@x")), (Revision(1), None));
        put(&directory, 3, &person(1, "lovelace@x", None));
        assert_eq!((directory.claim("ada@x"), directory.claimed_by("ada@x")), (Revision(1), None));
        directory.install_claim("ada@x", Revision(4), None);
        assert_eq!((directory.claim("ada@x"), directory.claim("lovelace@x")), (Revision(4), Revision::NONE));
        directory.purge_claim("ada@x", Revision(1));
        assert_eq!(directory.claim("ada@x"), Revision(4), "it is newer than what was purged");
        directory.purge_claim("ada@x", Revision(4));
        assert_eq!(directory.claim("ada@x"), Revision::NONE);
    }

    #[test]
    fn a_name_that_was_given_up_before_its_owner_went_is_forgotten_with_its_tombstone() {
        let directory = Directory::default();
        directory.install_claim("ada@x", Revision(1), CLAIMED);
        let ada = person(1, "Ada@x", None);
        put(&directory, 2, &ada);
        directory.install_claim("ada@x", Revision(3), None);
        directory.purge_claim("ada@x", Revision(3));
        assert_eq!(directory.claim("ada@x"), Revision::NONE, "the deletion has gone no further");
        directory.install_claim("ada@x", Revision(4), None);
        directory.install(ada.id, place(5), None).unwrap();
        assert_eq!(directory.claim("ada@x"), Revision(4));
        directory.purge_claim("ada@x", Revision(4));
        assert_eq!(directory.claim("ada@x"), Revision::NONE);
    }

    #[test]
    fn an_entry_that_the_log_has_moved_is_no_news() {
        let directory = Directory::default();
        let ada = person(1, "ada@x", None);
        put(&directory, 5, &ada);
        let (version, moved) = (directory.version(), Place { revision: Revision(9), written: Revision(5) });
        assert_eq!(directory.install(ada.id, moved, Some(&ada.encode().into())), Ok(None));
        assert_eq!((directory.place(ada.id), directory.written(ada.id)), (moved, Revision(5)));
        assert_eq!((directory.changed_since(Revision(5)), directory.version()), (vec![], version));
        put(&directory, 10, &ada);
        assert_eq!(directory.changed_since(Revision(5)), [ada.id]);
    }

    #[test]
    fn pages_are_in_ascending_order_of_ids() {
        let directory = Directory::default();
        for id in [3, 1, 2] {
            put(&directory, id, &person(u128::from(id), &format!("p{id}@x"), None));
        }
        let id = |id| UserId(Uuid::from_u128(id));
        assert_eq!(directory.ids_after(None, 2), [id(1), id(2)]);
        assert_eq!(directory.ids_after(Some(id(1)), 9), [id(2), id(3)]);
        let people: Vec<UserId> =
            directory.people_after(Some(id(1)), 9).into_iter().map(|person| person.id).collect();
        assert_eq!(people, [id(2), id(3)]);
        assert_eq!(directory.people_after(None, 1), [person(1, "p1@x", None)]);
    }
}
