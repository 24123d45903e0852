//! A file on a disk that fails.

use crate::dice::Dice;

/// What a disk keeps or loses as a whole, in bytes.
const PAGE: usize = 512;

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskError {
    /// The disk says no.
    Io,
    /// The disk is full.
    Full,
}

/// What is to go wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// The next write fails, after a part of it.
    Write,
    /// The next sync fails; of what was to be synced a part is lost, or nothing, or it is on the disk all the same.
    Sync,
}

/// One file, of which the system has written a part to the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// What the system reads.
    live: Vec<u8>,
    /// So many bytes of it survive whatever happens.
    synced: usize,
    /// No more bytes than this have room, when the disk is nearly full.
    room: Option<usize>,
    fault: Option<DiskFault>,
    dice: Dice,
}

impl Disk {
    /// An empty file.
    pub(crate) fn new(dice: Dice) -> Disk {
        Disk { live: Vec::new(), synced: 0, room: None, fault: None, dice }
    }

    /// What the file says.
    pub(crate) fn read(&self) -> &[u8] {
        &self.live
    }

    /// Writes at the end of the file.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let room = self.room.map_or(usize::MAX, |room| room.saturating_sub(self.live.len()));
        let error = if self.fault == Some(DiskFault::Write) {
            self.fault = None;
            DiskError::Io
        } else if bytes.len() > room {
            DiskError::Full
        } else {
            self.live.extend_from_slice(bytes);
            return Ok(());
        };
        let written = self.dice.place(bytes.len() + 1).min(room);
        self.live.extend_from_slice(&bytes[..written]);
        Err(error)
    }

    /// Waits until everything that was written survives.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        if self.fault == Some(DiskFault::Sync) {
            self.fault = None;
            match self.dice.below(3) {
                // Nothing is known of it any more.
                0 => self.lose(),
                1 => self.synced = self.live.len(),
                // It is still to be written.
                _ => {}
            }
            return Err(DiskError::Io);
        }
        self.synced = self.live.len();
        Ok(())
    }

    /// Cuts the file off here.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.live.truncate(length);
        self.synced = self.synced.min(length);
    }

    /// The machine loses its power: of what was not synced some pages are on the disk, in no order, and the others are
    /// zeros; or the file ends before.
    pub(crate) fn crash(&mut self) {
        self.lose();
        let rest = self.live.len() - self.synced;
        if self.dice.one_in(2) {
            self.live.truncate(self.synced + self.dice.place(rest + 1));
        }
        self.synced = self.live.len();
        self.heal();
    }

    /// Lets this go wrong.
    pub(crate) fn inject(&mut self, fault: DiskFault) {
        self.fault = Some(fault);
    }

    /// The disk has room for so many bytes more; `None`: for as many as come.
    pub(crate) fn limit(&mut self, room: Option<usize>) {
        self.room = room.map(|room| self.live.len() + room);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&mut self) {
        (self.fault, self.room) = (None, None);
    }

    fn lose(&mut self) {
        for page in self.live[self.synced..].chunks_mut(PAGE) {
            if self.dice.one_in(2) {
                page.fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_and_the_rest_may_not() {
        let mut lost = 0;
        for seed in 0..32 {
            let mut disk = Disk::new(Dice::new(seed));
            disk.write(&[1; 1_000]).unwrap();
            disk.sync().unwrap();
            disk.write(&[2; 2_000]).unwrap();
            disk.crash();
            assert_eq!(disk.read()[..1_000], [1; 1_000]);
            lost += usize::from(disk.read()[1_000..] != [2; 2_000]);
        }
        assert!(lost > 16, "{lost}");
    }

    #[test]
    fn a_full_disk_takes_a_part_at_most() {
        let mut disk = Disk::new(Dice::new(1));
        disk.limit(Some(10));
        assert_eq!(disk.write(&[1; 20]), Err(DiskError::Full));
        assert!(disk.read().len() <= 10);
        disk.limit(None);
        disk.truncate(0);
        assert_eq!(disk.write(&[1; 20]), Ok(()));
    }
}
