//! Room for bytes of any length, in blocks of one length.

use crate::slab::Slab;

/// Bytes of a block: as many as the record of a user with one session needs beyond those that lie in the
/// slot.
const BLOCK: usize = 20;

/// Bytes of what was put in that a block holds unless it is the last of its chain: then comes the next one's
/// number.
const LINKED: usize = BLOCK - size_of::<u32>();

/// Bytes by number: each lot of them is a chain of blocks.
///
/// All blocks are alike, so what was given back serves whatever comes next. An allocator keeps lots of
/// different lengths apart, and records change theirs with the hours of the day; and each lot would need a
/// pointer and a length. Blocks are never given back to the system: there stay as many as were used at once.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    blocks: Slab<[u8; BLOCK]>,
    /// How many blocks are free.
    free: u32,
    /// The one that was given back last, if any is free. Each of them has the number of the one before it.
    first_free: u32,
}

impl Arena {
    /// Puts bytes in. Returns the number by which, and by how many they are, they are found again.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u32 {
        let (linked, last) = bytes.split_at(links(bytes.len()) * LINKED);
        let mut block = [0; BLOCK];
        block[..last.len()].copy_from_slice(last);
        let mut first = self.place(block);
        for piece in linked.rchunks_exact(LINKED) {
            first = self.place(link(piece, first));
        }
        first
    }

    /// Gives each piece of what was put in as `first` to `take`, `length` bytes in all.
    pub(crate) fn read(&self, first: u32, length: usize, mut take: impl FnMut(&[u8])) {
        let (mut at, links) = (first, links(length));
        for _ in 0..links {
            take(&self.blocks[at as usize][..LINKED]);
            at = self.next(at);
        }
        take(&self.blocks[at as usize][..length - links * LINKED]);
    }

    /// Gives back the room of what was put in as `first`, `length` bytes in all.
    pub(crate) fn give_back(&mut self, first: u32, length: usize) {
        let mut at = first;
        for _ in 0..links(length) {
            let next = self.next(at);
            self.release(at);
            at = next;
        }
        self.release(at);
    }

    /// How many blocks there are, used and free.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    fn place(&mut self, block: [u8; BLOCK]) -> u32 {
        if self.free == 0 {
            let number =
                u32::try_from(self.blocks.len()).expect("a shard has fewer than four billion blocks");
            self.blocks.push(block);
            return number;
        }
        let number = self.first_free;
        self.first_free = self.next(number);
        self.free -= 1;
        self.blocks[number as usize] = block;
        number
    }

    fn release(&mut self, number: u32) {
        self.blocks[number as usize] = link(&[], self.first_free);
        self.first_free = number;
        self.free += 1;
    }

    /// The number that a block ends with.
    fn next(&self, number: u32) -> u32 {
        let [.., a, b, c, d] = self.blocks[number as usize];
        u32::from_le_bytes([a, b, c, d])
    }
}

/// How many blocks so many bytes take beyond the last one.
fn links(length: usize) -> usize {
    length.saturating_sub(BLOCK).div_ceil(LINKED)
}

/// A block with a piece of what was put in and the number of the next one.
fn link(piece: &[u8], next: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..piece.len()].copy_from_slice(piece);
    block[LINKED..].copy_from_slice(&next.to_le_bytes());
    block
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read(arena: &Arena, first: u32, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        arena.read(first, length, |piece| bytes.extend_from_slice(piece));
        bytes
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(Vec<u8>),
        /// Gives back one of those that are there.
        GiveBack(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => vec(any::<u8>(), 0..100).prop_map(Step::Put),
            2 => any::<usize>().prop_map(Step::GiveBack),
        ];
        vec(step, 1..100)
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_found_again_whatever_else_comes_and_goes(steps in steps()) {
            let mut arena = Arena::default();
            let mut held: Vec<(u32, Vec<u8>)> = Vec::new();
            let mut most = 0;
            for step in steps {
                match step {
                    Step::Put(bytes) => held.push((arena.put(&bytes), bytes)),
                    Step::GiveBack(which) if !held.is_empty() => {
                        let (first, bytes) = held.swap_remove(which % held.len());
                        arena.give_back(first, bytes.len());
                    }
                    Step::GiveBack(_) => {}
                }
                for (first, bytes) in &held {
                    prop_assert_eq!(&read(&arena, *first, bytes.len()), bytes);
                }
                let needed = held.iter().map(|(_, bytes)| 1 + links(bytes.len())).sum::<usize>();
                most = most.max(needed);
                prop_assert_eq!(arena.len(), most, "free blocks are used before new ones are made");
            }
        }
    }

    #[test]
    fn a_last_block_is_full_before_another_is_made() {
        for (length, blocks) in [(0, 1), (1, 1), (20, 1), (21, 2), (36, 2), (37, 3), (52, 3), (53, 4)] {
            let mut arena = Arena::default();
            arena.put(&vec![7; length]);
            assert_eq!(arena.len(), blocks, "{length} bytes");
        }
    }
}
