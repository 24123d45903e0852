//! Chance, for the laws of what is read: it decides how a value is spelled.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRng;

/// The chance of one test case.
pub(crate) struct Dice(TestRng);

/// Dice to print a value with. They do not shrink; the value does.
pub(crate) fn dice() -> impl Strategy<Value = Dice> {
    Just(()).prop_perturb(|(), rng| Dice(rng))
}

/// Any text, with more quotes, escapes and control characters than people write.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..24).prop_map(|text| text.into_iter().collect::<String>())
}

impl Dice {
    pub(crate) fn flip(&mut self) -> bool {
        self.0.random()
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.random_range(0..from.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        items.sort_by_cached_key(|_| self.0.random::<u64>());
    }

    /// The text with each of its letters in either case.
    pub(crate) fn any_case(&mut self, text: &str) -> String {
        text.chars()
            .map(|c| if self.flip() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect()
    }
}

impl fmt::Debug for Dice {
    /// Without their state, which would fill the screen.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Dice")
    }
}
