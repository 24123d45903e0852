//! A data folder by itself: looked at, repaired, written anew.

use std::path::Path;
use std::sync::Arc;

use porchlight_engine::{Clock, DELETED_KNOWN_FOR, Engine, OpenError, Options};
use porchlight_store::{Compacted, Embedded, Log, Repair, RepairError, compact, repair};

use super::finding::Finding;
use super::{DoctorFlags, report};
use crate::exit::{DATA, Failure};
use crate::progress::Progress;
use crate::say;

/// Looks at the folder, once it was repaired and written anew as far as that was asked for.
///
/// # Errors
///
/// See [`DoctorFlags`]: the help has the exit codes.
pub(super) fn run(flags: &DoctorFlags) -> Result<(), Failure> {
    let data = flags.folder()?;
    if flags.repair {
        mend(&data)?;
    }
    if flags.compact {
        write_anew(&data)?;
    }
    let sound = look(&data)?;
    if flags.json {
        say(&report::document(&[Finding::good("data", sound)]).to_string());
    } else {
        say(&sound);
    }
    Ok(())
}

/// Cuts off what a crash has torn.
fn mend(data: &Path) -> Result<(), Failure> {
    let folder = data.display();
    match repair(data) {
        Ok(Repair::Nothing) => say(&format!("{folder}: nothing to repair")),
        Ok(Repair::Cut { journal, bytes, copy }) => say(&format!(
            "{folder}: cut {bytes} bytes of a torn batch off {}; they are kept in {}. They were never acknowledged at full durability.",
            journal.display(),
            copy.display()
        )),
        Err(RepairError::Open(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::new(DATA, error)),
    }
    Ok(())
}

/// Forgets for good what was deleted long enough ago, and writes the rest anew.
fn write_anew(data: &Path) -> Result<(), Failure> {
    let engine = open(data)?;
    engine.purge(DELETED_KNOWN_FOR);
    // Not before that is done.
    engine.close();
    drop(engine);
    let progress = Progress::counting("writing anew");
    let Compacted { bytes_before, bytes_after } =
        compact(data, &|written, entries| progress.reach(written, entries))?;
    drop(progress);
    say(&format!("{}: written anew; {bytes_after} bytes instead of {bytes_before}", data.display()));
    Ok(())
}

/// What is to be said of a folder that is sound.
fn look(data: &Path) -> Result<String, Failure> {
    let engine = open(data)?;
    let (people, users) = count(&engine);
    engine.close();
    Ok(format!("{}: sound; {people} people, {users} with a presence record", data.display()))
}

/// How many people there are, and how many have a presence record.
pub(super) fn count(engine: &Engine) -> (usize, usize) {
    let tenants = engine.tenants();
    let people = tenants.iter().map(|tenant| tenant.directory().len()).sum();
    (people, tenants.iter().map(|tenant| tenant.users_len()).sum())
}

/// Opens what is there, and makes nothing.
fn open(data: &Path) -> Result<Engine, Failure> {
    // With the moved clock of development, if there is one: what is meant is the data, not who serves it.
    open_with(data, Options { development: true, ..Options::default() })
}

/// The same with other options.
///
/// # Errors
///
/// Those of [`DoctorFlags`] for a data folder by itself.
pub(super) fn open_with(data: &Path, options: Options) -> Result<Engine, Failure> {
    // Opening makes a data folder of an empty one, which is not what somebody who looks wants.
    if !Embedded::exists(data) {
        return Err(porchlight_store::OpenError::Missing { path: data.to_owned() }.into());
    }
    let opened = Engine::open(Arc::new(Clock::system()), options, |replica| {
        let log = Embedded::open(data, porchlight_store::Options::default(), replica)?;
        Ok::<_, porchlight_store::OpenError>(Arc::new(log) as Arc<dyn Log>)
    });
    opened.map_err(|error| match error {
        OpenError::Log(error) => error.into(),
        error => Failure::new(DATA, error),
    })
}
