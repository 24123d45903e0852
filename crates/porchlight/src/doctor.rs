//! `porchlight doctor`: what is wrong with a data folder, and putting it right.

use std::sync::Arc;

use porchlight_engine::{Clock, DELETED_KNOWN_FOR, Engine, OpenError, Options};
use porchlight_store::{Compacted, Embedded, Log, Repair, RepairError, compact, repair};

use crate::cli::DoctorFlags;
use crate::exit::{DATA, Failure};
use crate::say;

/// Looks at the folder, once it was repaired and written anew as far as that was asked for.
pub(crate) fn run(flags: &DoctorFlags) -> Result<(), Failure> {
    let folder = flags.data.display();
    if flags.repair {
        match repair(&flags.data) {
            Ok(Repair::Nothing) => say(&format!("{folder}: nothing to repair")),
            Ok(Repair::Cut { journal, bytes, copy }) => say(&format!(
                "{folder}: cut {bytes} bytes of a torn batch off {}; they are kept in {}. They were never acknowledged at full durability.",
                journal.display(),
                copy.display()
            )),
            Err(RepairError::Open(error)) => return Err(error.into()),
            Err(error) => return Err(Failure::new(DATA, error)),
        }
    }
    if flags.compact {
        write_anew(flags)?;
    }
    look(flags)
}

/// Forgets for good what was deleted long enough ago, and writes the rest anew.
fn write_anew(flags: &DoctorFlags) -> Result<(), Failure> {
    let engine = open(flags)?;
    engine.purge(DELETED_KNOWN_FOR);
    // Not before that is done.
    engine.close();
    drop(engine);
    let Compacted { bytes_before, bytes_after } = compact(&flags.data)?;
    say(&format!("{}: written anew; {bytes_after} bytes instead of {bytes_before}", flags.data.display()));
    Ok(())
}

fn look(flags: &DoctorFlags) -> Result<(), Failure> {
    let engine = open(flags)?;
    let users: usize = engine.tenants().iter().map(|tenant| tenant.users_len()).sum();
    let people: usize = engine.tenants().iter().map(|tenant| tenant.directory().len()).sum();
    say(&format!("{}: sound; {people} people, {users} with a presence record", flags.data.display()));
    engine.close();
    Ok(())
}

/// Opens what is there, and makes nothing.
fn open(flags: &DoctorFlags) -> Result<Engine, Failure> {
    // Opening makes a data folder of an empty one, which is not what somebody who looks wants.
    if !Embedded::exists(&flags.data) {
        return Err(porchlight_store::OpenError::Missing { path: flags.data.clone() }.into());
    }
    // With the moved clock of development, if there is one: what is meant is the data, not who serves it.
    let options = Options { development: true, ..Options::default() };
    let opened = Engine::open(Arc::new(Clock::system()), options, |replica| {
        let log = Embedded::open(&flags.data, porchlight_store::Options::default(), replica)?;
        Ok::<_, porchlight_store::OpenError>(Arc::new(log) as Arc<dyn Log>)
    });
    opened.map_err(|error| match error {
        OpenError::Log(error) => error.into(),
        error => Failure::new(DATA, error),
    })
}
