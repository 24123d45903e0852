//! A vector that grows without moving what is in it.

use std::ops::{Index, IndexMut};

/// Places of a chunk.
const CHUNK: usize = 8_192;

/// Items by number, in chunks: a plain vector would hold up to twice the room, and both the old and the new
/// one while it grows, under its owner's lock. The first chunk does grow like one, so that few items take
/// little.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { chunks: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(item),
            None => self.chunks.push(vec![item]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: usize) -> &T {
        &self.chunks[number / CHUNK][number % CHUNK]
    }
}

impl<T> IndexMut<usize> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, number: usize) -> &mut T {
        &mut self.chunks[number / CHUNK][number % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_under_their_numbers() {
        let mut slab = Slab::default();
        assert_eq!(slab.len(), 0);
        for number in 0..=3 * CHUNK {
            assert_eq!(slab.len(), number);
            slab.push(number);
        }
        slab[CHUNK] = 7;
        assert_eq!((slab[CHUNK - 1], slab[CHUNK], slab[3 * CHUNK]), (CHUNK - 1, 7, 3 * CHUNK));
        assert_eq!(slab.iter().nth(CHUNK), Some(&7));
    }
}
