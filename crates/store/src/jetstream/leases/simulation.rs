//! Several tables over one bucket that delays, loses and stalls; time is a number that is counted up.
//!
//! What is checked at every instant: of all processes that live, at most one may begin work for a slot. All
//! clocks run at one rate here, as the leases demand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::table::{Answer, Mark, SLOTS, Step, Table};

/// How far time goes on at once, in milliseconds.
const TICK: u64 = 50;

/// How long an attempt may take, in milliseconds.
const ANSWER: u64 = 1_000;

/// How long a process that died counts as living, in milliseconds.
const LIVES: u64 = 10_000;

/// A generator of numbers that need not be good, only the same at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

struct Process {
    id: Uuid,
    table: Table,
    died_at: Option<u64>,
    /// Until when nothing gets through to it; what it sends is late or lost.
    cut_until: u64,
    /// Until when it stands still, like a process that was sent SIGSTOP.
    stopped_until: u64,
    /// The attempts that were not answered yet.
    underway: BTreeSet<u64>,
    /// When the last of what it is to see comes, since it comes in order.
    sees_at: u64,
}

#[derive(Clone, Copy)]
enum Event {
    /// An attempt comes to the bucket.
    Arrives { process: usize, attempt: u64, step: Step },
    /// Its answer comes back, or what is taken for one after a while.
    Answers { process: usize, attempt: u64, step: Step, answer: Answer },
    /// A change of the bucket is seen.
    Seen { process: usize, slot: u16, revision: u64, mark: Mark },
}

struct World {
    start: Instant,
    /// The time, in milliseconds since the start.
    at: u64,
    random: Random,
    seed: u64,
    bucket: Vec<(u64, Mark)>,
    last: u64,
    /// Until when the bucket takes nothing, like a stream without a leader.
    stalls_until: u64,
    processes: Vec<Process>,
    /// What is to come, by time and then by number.
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
}

impl World {
    fn new(seed: u64, processes: usize) -> World {
        let mut world = World {
            start: Instant::now(),
            at: 0,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            seed,
            bucket: vec![(0, Mark::Free); usize::from(SLOTS)],
            last: 0,
            stalls_until: 0,
            processes: Vec::new(),
            events: BTreeMap::new(),
            count: 0,
        };
        for _ in 0..processes {
            world.begin();
        }
        world
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.at)
    }

    fn delay(&mut self) -> u64 {
        1 + self.random.below(60)
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Another process begins, and sees the bucket as it is.
    fn begin(&mut self) {
        let number = self.processes.len();
        let id = Uuid::from_u128(1 + 11 * number as u128);
        let mut table = Table::new(id, self.now());
        table.take();
        let process = Process {
            id,
            table,
            died_at: None,
            cut_until: 0,
            stopped_until: 0,
            underway: BTreeSet::new(),
            sees_at: 0,
        };
        self.processes.push(process);
        for slot in (0..SLOTS).filter(|slot| self.bucket[usize::from(*slot)].0 > 0).collect::<Vec<_>>() {
            self.show(number, slot);
        }
    }

    /// Lets a process see a slot as it is, in a while.
    fn show(&mut self, process: usize, slot: u16) {
        let (revision, mark) = self.bucket[usize::from(slot)];
        let at = (self.at + self.delay()).max(self.processes[process].sees_at);
        self.processes[process].sees_at = at;
        self.schedule(at, Event::Seen { process, slot, revision, mark });
    }

    fn run(&mut self, milliseconds: u64) {
        let end = self.at + milliseconds;
        while self.at < end {
            self.at += TICK;
            while let Some(event) = self.events.first_entry().filter(|event| event.key().0 <= self.at) {
                let event = event.remove();
                self.happen(event);
            }
            for process in 0..self.processes.len() {
                self.plan(process);
            }
            self.check();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives { process, attempt, step } => self.arrive(process, attempt, step),
            Event::Answers { process, attempt, step, answer } => {
                let (now, at) = (self.now(), self.at);
                let to = &mut self.processes[process];
                if at < to.stopped_until {
                    let until = to.stopped_until;
                    self.schedule(until, event);
                    return;
                }
                let is_lost = at < to.cut_until && !matches!(answer, Answer::Unknown);
                if to.died_at.is_none() && !is_lost && to.underway.remove(&attempt) {
                    to.table.answered(step, answer, now);
                }
            }
            Event::Seen { process, slot, revision, mark } => {
                let (now, at) = (self.now(), self.at);
                let to = &mut self.processes[process];
                let until = to.stopped_until.max(to.cut_until);
                if at < until {
                    self.schedule(until, event);
                } else if to.died_at.is_none() {
                    to.table.observe(slot, revision, mark, now);
                }
            }
        }
    }

    fn arrive(&mut self, process: usize, attempt: u64, step: Step) {
        if self.at < self.stalls_until {
            let at = self.stalls_until + self.delay();
            self.schedule(at, Event::Arrives { process, attempt, step });
            return;
        }
        let kept = &mut self.bucket[usize::from(step.slot)];
        let answer = if kept.0 == step.expects {
            self.last += 1;
            *kept = (self.last, step.mark);
            for process in 0..self.processes.len() {
                self.show(process, step.slot);
            }
            Answer::Written(self.last)
        } else {
            Answer::Refused
        };
        let at = self.at + self.delay();
        self.schedule(at, Event::Answers { process, attempt, step, answer });
    }

    fn plan(&mut self, process: usize) {
        let (now, at) = (self.now(), self.at);
        let lives = |process: &&Process| process.died_at.is_none_or(|died_at| at < died_at + LIVES);
        let live: Vec<Uuid> = self.processes.iter().filter(lives).map(|process| process.id).collect();
        let from = &mut self.processes[process];
        if from.died_at.is_some() || at < from.stopped_until {
            return;
        }
        let cut_until = from.cut_until;
        for step in from.table.plan(now, &live) {
            self.count += 1;
            let attempt = self.count;
            self.processes[process].underway.insert(attempt);
            let is_lost = at < cut_until && self.random.below(2) == 0;
            if !is_lost {
                let arrives_at = at.max(cut_until) + self.delay();
                self.schedule(arrives_at, Event::Arrives { process, attempt, step });
            }
            let unknown = Event::Answers { process, attempt, step, answer: Answer::Unknown };
            self.schedule(at + ANSWER, unknown);
        }
    }

    /// Who may begin work for each slot.
    fn workers(&self) -> Vec<Vec<Uuid>> {
        let mut workers = vec![Vec::new(); usize::from(SLOTS)];
        for process in self.processes.iter().filter(|process| process.died_at.is_none()) {
            for (slot, until) in process.table.work_until().enumerate() {
                if until.is_some_and(|until| self.now() < until) {
                    workers[slot].push(process.id);
                }
            }
        }
        workers
    }

    fn check(&self) {
        for (slot, workers) in self.workers().iter().enumerate() {
            assert!(workers.len() <= 1, "seed {}, {} ms: slot {slot} has {workers:?}", self.seed, self.at);
        }
    }

    /// Asserts that somebody may begin work for every slot.
    fn check_all_are_served(&self) {
        let unserved = self.workers().iter().filter(|workers| workers.is_empty()).count();
        assert_eq!(unserved, 0, "seed {}, {} ms", self.seed, self.at);
    }

    /// How many slots each process holds.
    fn counts(&self) -> Vec<usize> {
        self.processes.iter().map(|process| process.table.held().len()).collect()
    }

    fn die(&mut self, process: usize) {
        self.processes[process].died_at = Some(self.at);
    }

    /// Something goes wrong, or a process begins.
    fn disturb(&mut self) {
        let process = self.random.below(self.processes.len() as u64) as usize;
        let until = self.at + 500 + self.random.below(12_000);
        let now = self.now();
        match self.random.below(6) {
            0 => self.processes[process].cut_until = until,
            1 => self.processes[process].stopped_until = until,
            2 => self.stalls_until = self.at + self.random.below(9_000),
            3 => {
                let slot = self.random.below(u64::from(SLOTS)) as u16;
                self.processes[process].table.give_up(slot, now);
            }
            4 if self.processes.len() < 8 => {
                self.die(process);
                self.begin();
            }
            4 => {}
            _ if process > 0 => self.processes[process].table.leave(now),
            _ => self.processes[process].table.take(),
        }
    }
}

#[test]
fn no_two_processes_may_begin_work_for_one_slot_whatever_goes_wrong() {
    for seed in 1..=12 {
        let mut world = World::new(seed, 4);
        for _ in 0..20 {
            let milliseconds = world.random.below(5_000);
            world.run(milliseconds);
            world.disturb();
        }
        // Whoever lives goes on, undisturbed.
        for process in &mut world.processes {
            process.table.take();
        }
        world.run(40_000);
        world.check_all_are_served();
    }
}

#[test]
fn everybody_gets_an_equal_share() {
    for (seed, processes) in [(1, 1), (2, 2), (3, 3), (4, 5)] {
        let mut world = World::new(seed, processes);
        world.run(20_000);
        world.check_all_are_served();
        let share = usize::from(SLOTS).div_ceil(processes);
        assert!(world.counts().iter().all(|count| *count <= share), "{:?}", world.counts());
    }
}

#[test]
fn whoever_comes_later_gets_its_share_too() {
    for seed in 1..=5 {
        let mut world = World::new(seed, 2);
        world.run(10_000);
        world.begin();
        world.run(15_000);
        world.check_all_are_served();
        assert!(world.counts().iter().all(|count| *count <= 11), "seed {seed}: {:?}", world.counts());
    }
}

#[test]
fn the_slots_of_whoever_dies_are_taken_within_ten_seconds() {
    for seed in 1..=8 {
        let mut world = World::new(seed, 3);
        world.run(20_000 + 137 * seed);
        world.die(1);
        world.run(10_000);
        world.check_all_are_served();
    }
}

#[test]
fn whoever_leaves_hands_over_at_once() {
    for seed in 1..=8 {
        let mut world = World::new(seed, 3);
        world.run(20_000 + 137 * seed);
        let now = world.now();
        world.processes[1].table.leave(now);
        world.run(1_500);
        world.check_all_are_served();
        assert!(world.processes[1].table.has_left(), "seed {seed}");
    }
}

#[test]
fn while_the_bucket_stalls_nobody_loses_a_slot_to_another() {
    for seed in 1..=8 {
        let mut world = World::new(seed, 3);
        world.run(20_000);
        let before: Vec<_> = world.processes.iter().map(|process| process.table.held()).collect();
        world.stalls_until = world.at + 9_000;
        world.run(20_000);
        world.check_all_are_served();
        let after: Vec<_> = world.processes.iter().map(|process| process.table.held()).collect();
        assert_eq!(before, after, "seed {seed}");
    }
}
