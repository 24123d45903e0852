//! Records without what most of them have in common.

use smallvec::{SmallVec, smallvec};

/// The bytes of one record, for a moment.
pub(crate) type Buffer = SmallVec<[u8; 128]>;

/// Bytes of an id.
const ID: usize = 16;
/// How many ids of one record may be left out: there are three bits for their number.
const IDS_MAX: u8 = 7;
/// How many zeros at the end of one may be left out: there are five bits for their number.
const ZEROS_MAX: usize = 31;

/// Leaves out of a record the ids that many have, those of applications, and the zeros at its end, which
/// stand for its absent parts.
///
/// It knows nothing of a record's format, and the log's form is untouched: what was packed comes out as the
/// very bytes that went in, by the same packer.
///
/// ```text
/// packed = head *(length:byte id:byte bytes) bytes
/// head   = how many ids were left out, in the upper three bits, and how many zeros, in the lower five
/// ```
#[derive(Debug, Default)]
pub(crate) struct Packer {
    /// The ids by their numbers: the first 256 that came. More than that stay in their records.
    ids: Vec<[u8; ID]>,
}

impl Packer {
    /// A record with less in it. `ids`: those that it may have in common with others, in the order in which
    /// they stand in it.
    pub(crate) fn pack(&mut self, record: &[u8], ids: impl IntoIterator<Item = [u8; ID]>) -> Buffer {
        let zeros = record.iter().rev().take(ZEROS_MAX).take_while(|byte| **byte == 0).count();
        let mut rest = &record[..record.len() - zeros];
        let mut packed: Buffer = smallvec![0];
        let mut left_out = 0;
        for id in ids {
            if left_out == IDS_MAX {
                break;
            }
            let Some(before) = place(rest, &id) else { continue };
            let Some(number) = self.number(id) else { continue };
            packed.extend([before, number]);
            packed.extend_from_slice(&rest[..usize::from(before)]);
            rest = &rest[usize::from(before) + ID..];
            left_out += 1;
        }
        packed.extend_from_slice(rest);
        packed[0] = left_out << 5 | zeros as u8;
        packed
    }

    /// The record that was packed; no bytes when there are none.
    pub(crate) fn unpack(&self, packed: &[u8]) -> Buffer {
        let mut record = Buffer::new();
        let Some((head, mut rest)) = packed.split_first() else { return record };
        for _ in 0..head >> 5 {
            let (before, number) = (usize::from(rest[0]), usize::from(rest[1]));
            record.extend_from_slice(&rest[2..2 + before]);
            record.extend_from_slice(&self.ids[number]);
            rest = &rest[2 + before..];
        }
        record.extend_from_slice(rest);
        record.resize(record.len() + usize::from(head & 0b1_1111), 0);
        record
    }

    /// The number of an id, which gets one if there is one left.
    fn number(&mut self, id: [u8; ID]) -> Option<u8> {
        let known = self.ids.iter().position(|known| *known == id);
        let number = u8::try_from(known.unwrap_or(self.ids.len())).ok()?;
        if known.is_none() {
            self.ids.push(id);
        }
        Some(number)
    }
}

/// Behind how many bytes an id lies, if a byte can say that.
fn place(bytes: &[u8], id: &[u8; ID]) -> Option<u8> {
    let found = bytes.windows(ID).take(1 << 8).position(|window| window == id)?;
    u8::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id(number: u16) -> [u8; ID] {
        let mut id = [0; ID];
        id[..2].copy_from_slice(&number.to_le_bytes());
        id
    }

    /// Bytes with these ids among them, which may end with zeros, as the ids do.
    fn record() -> impl Strategy<Value = (Vec<u8>, Vec<u16>)> {
        let between = vec(prop_oneof![3 => any::<u8>(), 1 => Just(0_u8)], 0..40);
        let long = vec(any::<u8>(), 250..260);
        let parts = vec((prop_oneof![9 => between, 1 => long], 0..40_u16), 0..10);
        (parts, 0..40_usize).prop_map(|(parts, zeros)| {
            let ids = parts.iter().map(|(_, id)| *id).collect();
            let parts = parts.into_iter().flat_map(|(bytes, number)| [bytes, id(number).to_vec()]);
            let mut record = parts.collect::<Vec<_>>().concat();
            record.resize(record.len() + zeros, 0);
            (record, ids)
        })
    }

    proptest! {
        #[test]
        fn a_record_comes_out_as_it_went_in(records in vec(record(), 1..12)) {
            let mut packer = Packer::default();
            let pack = |(record, ids): &(Vec<u8>, Vec<u16>)| packer.pack(record, ids.iter().copied().map(id));
            let packed: Vec<Buffer> = records.iter().map(pack).collect();
            for ((record, _), packed) in records.iter().zip(packed) {
                let unpacked = packer.unpack(&packed);
                prop_assert_eq!(unpacked.as_slice(), record.as_slice());
            }
        }
    }

    #[test]
    fn an_id_beyond_those_that_have_numbers_stays_where_it_is() {
        let mut packer = Packer::default();
        let record = |number| [&[1, 2, 3][..], &id(number), &[4, 0, 0]].concat();
        for number in 1..=300 {
            let packed = packer.pack(&record(number), [id(number)]);
            let bytes = if number <= 256 { 7 } else { 1 + 3 + ID + 1 };
            assert_eq!((packed.len(), &packer.unpack(&packed)[..]), (bytes, &record(number)[..]));
        }
    }

    #[test]
    fn what_is_not_in_the_record_is_not_left_out() {
        let mut packer = Packer::default();
        assert_eq!(packer.pack(&[1, 2, 3], [id(7)])[..], [0, 1, 2, 3]);
        assert!(packer.ids.is_empty());
    }
}
