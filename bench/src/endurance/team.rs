//! Whom somebody follows: some people of many.

use crate::requests::{scattered, user_id};

/// How people are followed: each who follows has a team, and everybody is in about as many teams as everybody
/// else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teams {
    /// How many people one of them has, at most as many as there are.
    pub(super) size: u32,
    pub(super) people: u32,
}

impl Teams {
    /// Whom the one of this number follows: nobody twice.
    pub(super) fn members(self, number: u32) -> impl Iterator<Item = u32> {
        let first = u64::from(number) * u64::from(self.size);
        (first..first + u64::from(self.size)).map(move |place| scattered(place, self.people))
    }

    /// The filter that finds them.
    pub(super) fn filter(self, number: u32) -> String {
        let ids: Vec<String> = self.members(number).map(|user| format!("'{}'", user_id(user))).collect();
        format!("id in ({})", ids.join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_is_in_a_team_twice_and_everybody_in_some() {
        let teams = Teams { size: 50, people: 2_000 };
        assert!((0..100).all(|number| teams.members(number).collect::<HashSet<_>>().len() == 50));
        let followed: HashSet<u32> = (0..40).flat_map(|number| teams.members(number)).collect();
        assert_eq!(followed.len(), 2_000);
    }
}
