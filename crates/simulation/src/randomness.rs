//! Randomness that the seed decides.
//!
//! The standard library's hash maps, tokio's `select!` and UUIDs ask the system for random numbers, by the function
//! `getrandom` of C's library. Here is another one of that name, which the linker prefers; until [`begin`] it does as the
//! system's does. rapidhash takes the address of its caller's stack for a random number, so a run is made
//! [on a stack](on_a_fixed_stack) that lies at the same address in every process.

#![expect(unsafe_code, reason = "a function of C's library is replaced, and a thread is given a stack")]

use std::ffi::{c_uint, c_void};
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::dice;

/// What the next number is made of.
static STATE: AtomicU64 = AtomicU64::new(0);

/// Whether the seed decides.
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// From now on whoever asks the system for random numbers gets those that follow from the seed.
///
/// # Panics
///
/// When somebody still gets the system's: the linker has not preferred ours.
pub(crate) fn begin(seed: u64) {
    HAS_BEGUN.store(true, Ordering::Relaxed);
    let [one, other] = [(); 2].map(|()| {
        STATE.store(seed, Ordering::Relaxed);
        // Of another thread, since the standard library asks once for each.
        std::thread::spawn(drawn).join().expect("to draw random numbers does not panic")
    });
    assert_eq!(one, other, "the seed decides the system's random numbers");
    STATE.store(seed, Ordering::Relaxed);
}

/// What two of those draw that ask the system.
fn drawn() -> ([u8; 8], u64) {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("there are random numbers");
    (bytes, RandomState::new().hash_one(0))
}

/// A seed by the system's randomness; before [`begin`] alone.
pub(crate) fn fresh_seed() -> u64 {
    let mut seed = [0; 4];
    getrandom::fill(&mut seed).expect("the system has random numbers");
    u32::from_le_bytes(seed).into()
}

/// C's `getrandom`: fills `length` bytes from `buffer` on, and says how many.
///
/// # Safety
///
/// They must be the caller's to write to.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    if !HAS_BEGUN.load(Ordering::Relaxed) {
        // SAFETY: the kernel takes the same arguments as this function.
        let answer = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return isize::try_from(answer).unwrap_or(-1);
    }
    for from in (0..length).step_by(8) {
        let state = STATE.fetch_add(dice::STEP, Ordering::Relaxed);
        let word = dice::mixed(state).to_le_bytes();
        let count = (length - from).min(word.len());
        // SAFETY: `from + count` is at most `length`, and so many bytes are the caller's to write to.
        unsafe { ptr::copy_nonoverlapping(word.as_ptr(), buffer.cast::<u8>().add(from), count) };
    }
    length.cast_signed()
}

/// Where the stack lies: nothing else of a process of 64 bits is so far down and so far up.
const STACK_AT: usize = 0x2000_0000_0000;

/// How large it is. No more of it is taken than is used.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Does this on a thread whose stack lies at an address that is always the same, and waits for its end.
///
/// # Panics
///
/// When the system does not give a thread or its stack.
pub(crate) fn on_a_fixed_stack(work: Box<dyn FnOnce() + Send>) {
    extern "C" fn enter(work: *mut c_void) -> *mut c_void {
        // SAFETY: it was made of such a box below, for this one call.
        let work = unsafe { Box::from_raw(work.cast::<Box<dyn FnOnce() + Send>>()) };
        // A panic, which was reported where it happened, may not go on through C's frames.
        if std::panic::catch_unwind(AssertUnwindSafe(move || (*work)())).is_err() {
            std::process::exit(101);
        }
        ptr::null_mut()
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let at = ptr::without_provenance_mut(STACK_AT);
    // SAFETY: where something lies already, nothing is mapped.
    let stack = unsafe { libc::mmap(at, STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    assert_eq!(stack.addr(), STACK_AT, "there is room for the stack of a run");
    let work = Box::into_raw(Box::new(work)).cast::<c_void>();
    // SAFETY: the attributes are made before they are used, the stack is nobody else's, and the thread is waited for.
    let joined = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let mut thread: libc::pthread_t = std::mem::zeroed();
        let made = libc::pthread_attr_init(&raw mut attributes);
        let given = libc::pthread_attr_setstack(&raw mut attributes, stack, STACK_BYTES);
        let begun = libc::pthread_create(&raw mut thread, &raw const attributes, enter, work);
        assert_eq!([made, given, begun], [0; 3], "a thread for the run is begun");
        libc::pthread_join(thread, ptr::null_mut())
    };
    assert_eq!(joined, 0, "the thread of the run has ended");
}
