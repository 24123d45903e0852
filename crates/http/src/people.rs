//! Whom a list of people is about, and finding them.

use porchlight_engine::{Directory, Person};
use porchlight_presence::UserId;

use crate::error::Error;
use crate::odata::{Options, PeopleFilter};
use crate::routes::users::Paging;
use crate::walk::LOOKS;

/// Those whom a list is about.
pub(crate) struct People {
    filter: Option<PeopleFilter>,
    /// The only people who can match, in ascending order; `None` when anybody may.
    candidates: Option<Vec<UserId>>,
}

/// A page of them.
pub(crate) struct Page {
    pub(crate) people: Vec<Person>,
    pub(crate) has_more: bool,
    /// How many there are on all pages together, if that was asked for.
    pub(crate) count: Option<usize>,
}

impl People {
    /// Those whom `$filter` and `$search` mean; everybody without either.
    ///
    /// # Errors
    ///
    /// E28 and E21.
    pub(crate) fn read(
        options: &Options<'_>,
        directory: &Directory,
        texts_max: usize,
    ) -> Result<People, Error> {
        let filter = options.get("$filter").map(|text| PeopleFilter::parse(text, texts_max)).transpose()?;
        let search = options.get("$search").map(PeopleFilter::parse_search).transpose()?;
        let filter = match (filter, search) {
            (Some(filter), Some(search)) => Some(PeopleFilter::All(vec![filter, search])),
            (filter, search) => filter.or(search),
        };
        let candidates = filter.as_ref().and_then(|filter| filter.candidates(directory)).map(|mut users| {
            users.sort_unstable();
            users.dedup();
            users
        });
        Ok(People { filter, candidates })
    }

    /// The page that is asked for. Everybody may have to be looked at for it, so others have their turn in between.
    pub(crate) async fn page(&self, directory: &Directory, paging: &Paging) -> Page {
        let is_counted = paging.count && self.filter.is_some();
        // Whoever is counted is looked at from the beginning.
        let mut after = paging.after.filter(|_| !is_counted);
        let (mut people, mut matching, mut skipped) = (Vec::new(), 0, 0);
        loop {
            let (slice, next) = self.slice(directory, after);
            for person in slice {
                if self.filter.as_ref().is_some_and(|filter| !filter.holds(&person)) {
                    continue;
                }
                matching += 1;
                if paging.after.is_some_and(|last| person.id <= last) || people.len() > paging.top {
                    continue;
                }
                if skipped < paging.skip {
                    skipped += 1;
                } else {
                    people.push(person);
                }
            }
            if next.is_none() || (people.len() > paging.top && !is_counted) {
                break;
            }
            after = next;
            tokio::task::yield_now().await;
        }
        let has_more = people.len() > paging.top;
        people.truncate(paging.top);
        let everybody = || if is_counted { matching } else { directory.len() };
        Page { people, has_more, count: paging.count.then(everybody) }
    }

    /// The next people to look at, and the last of them if more may follow.
    fn slice(&self, directory: &Directory, after: Option<UserId>) -> (Vec<Person>, Option<UserId>) {
        let Some(users) = &self.candidates else {
            let people = directory.people_after(after, LOOKS);
            let last = people.last().map(|person| person.id).filter(|_| people.len() == LOOKS);
            return (people, last);
        };
        let from = users.partition_point(|user| after.is_some_and(|after| *user <= after));
        let users = &users[from..users.len().min(from + LOOKS)];
        let last = users.last().copied().filter(|_| users.len() == LOOKS);
        (users.iter().filter_map(|user| directory.person(*user)).collect(), last)
    }
}
