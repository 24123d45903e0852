//! Chance, by the seed.

use std::time::Duration;

/// How far the state goes on with every number.
pub(crate) const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number that looks as if it had nothing to do with the state. Source: `SplitMix64`.
pub(crate) fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Dice that fall as their seed says.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(mixed(seed))
    }

    /// Other dice, for somebody else: how often these are thrown from now on does not matter to them.
    pub(crate) fn another(&mut self) -> Dice {
        Dice::new(self.throw())
    }

    /// Any number.
    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// A number less than this one, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    /// A place in a list of this length, which is not 0.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is less than the length")
    }

    /// Whether one of so many cases has come.
    pub(crate) fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.place(all.len())]
    }

    /// So many milliseconds, the first and the last among them.
    pub(crate) fn millis(&mut self, first: u64, last: u64) -> Duration {
        Duration::from_millis(first + self.below(last - first + 1))
    }

    /// Puts a list into another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.place(last + 1));
        }
    }
}
