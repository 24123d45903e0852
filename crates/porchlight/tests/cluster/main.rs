//! A cluster as it is built, and faults: three NATS servers, and three nodes, each with a network that can be cut.
//!
//! In the manner of Jepsen: clients note what they ask and what they are answered while things break, and then what
//! was noted is held against what is promised. Everything random follows from a seed, which is printed.
//!
//! | module | what is in it |
//! |---|---|
//! | `cluster`, `node` | the processes |
//! | `faults` | what is done to them, and when |
//! | `writers`, `readers`, `followers`, `subscribers` | the clients |
//! | `words` | what a write says, so that whoever reads it knows which one it is |
//! | `history` | what was asked and answered |
//! | `verdicts` | what of that cannot be |
//! | `rest` | that everybody shows the same when nothing happens any more |
//! | `chronicle`, `dice`, `people` | what was done when; numbers from a seed; whose presence it is |
//! | `under_faults`, `takeover` | the tests |

mod chronicle;
mod cluster;
mod dice;
mod faults;
mod followers;
mod history;
mod node;
mod people;
mod readers;
mod rest;
mod subscribers;
mod takeover;
mod under_faults;
mod verdicts;
mod words;
mod writers;
