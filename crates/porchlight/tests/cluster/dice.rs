//! Numbers that look random and follow from a seed.

use std::time::Duration;

/// The seed of this run: from the environment, or else a new one.
pub(crate) fn seed() -> u64 {
    match std::env::var("PORCHLIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("PORCHLIGHT_TEST_SEED is a number"),
        Err(_) => uuid::Uuid::new_v4().as_u64_pair().0,
    }
}

/// A source of such numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        // Seeds that follow each other are to have nothing in common; and never zero, which this generator would
        // not get away from.
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Dice for somebody else, whose numbers follow from these.
    pub(crate) fn another(&mut self) -> Dice {
        Dice::new(self.roll())
    }

    /// Marsaglia's xorshift64.
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The upper bits: the lower ones of this generator repeat soonest.
        ((self.roll() >> 16) % end as u64) as usize
    }

    /// Milliseconds from `least` to just under `end`.
    pub(crate) fn millis(&mut self, least: usize, end: usize) -> Duration {
        Duration::from_millis((least + self.below(end - least)) as u64)
    }

    /// Puts them into another order.
    pub(crate) fn shuffle<T>(&mut self, of: &mut [T]) {
        for end in (2..=of.len()).rev() {
            of.swap(end - 1, self.below(end));
        }
    }
}
