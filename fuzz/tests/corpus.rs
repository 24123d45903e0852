//! The kept corpora, replayed: no file in them breaks a law, and none takes long, however often it is repeated.

#![expect(clippy::print_stdout, reason = "a test that fails shows which input was the last")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of the longest inputs.
const LONG: usize = 64 * 1024;

/// How long one input may take, also on a slow machine that does something else beside: what takes the square of its
/// length takes minutes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many files of a corpus are repeated until they are long.
const REPEATED: usize = 3;

/// Runs a target with every file of its corpus, and with some of them again and again to 64 KiB.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files =
        fs::read_dir(&folder).expect("there is a corpus").map(|file| file.expect("it is listed").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!(files.len() >= 12, "a corpus says what its target is about: {}", folder.display());
    for (number, file) in files.iter().enumerate() {
        println!("{}", file.display());
        let bytes = fs::read(file).expect("a file is read");
        run_in_time(run, &bytes);
        if number < REPEATED && !bytes.is_empty() {
            println!("the same to {LONG} bytes");
            let long: Vec<u8> = bytes.iter().copied().cycle().take(LONG).collect();
            run_in_time(run, &long);
        }
    }
}

fn run_in_time(run: fn(&[u8]), bytes: &[u8]) {
    let begun = Instant::now();
    run(bytes);
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{} bytes took {took:?}", bytes.len());
}

macro_rules! replayed {
    ($($target:ident)*) => {
        mod no_kept_input_breaks_a_law_of {
            $(
                #[test]
                fn $target() {
                    super::replay(stringify!($target), fuzz::$target);
                }
            )*
        }
    };
}

replayed! {
    path presences_filter people_filter select duration date_time request operation batch subscribe scim ids
    user person subscription cursor stored token scim_filter resource url
}

#[test]
fn every_corpus_is_a_targets_and_every_target_is_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest is read");
    for corpus in fs::read_dir(root.join("corpus")).expect("there are corpora") {
        let name = corpus.expect("it is listed").file_name().into_string().expect("a name in ASCII");
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} is no target");
        let program = root.join("fuzz_targets").join(&name).with_extension("rs");
        let program = fs::read_to_string(program).expect("a target is a program");
        assert!(program.contains(&format!("fuzz::{name}(data)")), "{name} is its own target");
    }
}
