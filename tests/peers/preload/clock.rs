//! Sets the wall clock of the program that it is preloaded into, while it runs, and leaves the clock that is never set alone: as
//! somebody does who sets the clock of a machine. Not a part of the host and not linked into it.
//!
//! `CLOCK_OFFSET` is a file of eight bytes, a number of seconds (signed, in the order of this machine's bytes) that is added to
//! the time. `tests/src/harness/clockwork.rs` builds it, starts hosts with it and writes the file.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn mmap(at: *mut c_void, size: usize, may: c_int, how: c_int, file: c_int, from: i64) -> *mut c_void;
}

const CLOCK_REALTIME: c_int = 0;
const CLOCK_REALTIME_COARSE: c_int = 5;
const PROT_READ: c_int = 1;
const MAP_SHARED: c_int = 1;

/// `struct timespec` of 64 bit systems.
#[repr(C)]
pub struct Time {
    seconds: i64,
    nanos: i64,
}

type Read = extern "C" fn(c_int, *mut Time) -> c_int;

fn real() -> Read {
    static REAL: OnceLock<usize> = OnceLock::new();
    let next = -1_isize as *mut c_void;
    // SAFETY: the handle means "the next one after this library", the name ends with a zero.
    let found = *REAL.get_or_init(|| unsafe { dlsym(next, c"clock_gettime".as_ptr()) } as usize);
    // SAFETY: the C library has this function with these arguments.
    unsafe { std::mem::transmute::<usize, Read>(found) }
}

/// The number in the file, which stays mapped as long as the program lives.
fn offset() -> i64 {
    static OFFSET: OnceLock<Option<&AtomicI64>> = OnceLock::new();
    let open = || {
        let file = std::fs::File::open(std::env::var_os("CLOCK_OFFSET")?).ok()?;
        // SAFETY: the system chooses the place; the file has eight bytes, and a page is mapped of it.
        let at = unsafe { mmap(std::ptr::null_mut(), 8, PROT_READ, MAP_SHARED, file.as_raw_fd(), 0) };
        // SAFETY: it begins on a page, is never unmapped, and holds a number of eight bytes.
        (at as isize != -1).then(|| unsafe { &*at.cast::<AtomicI64>() })
    };
    OFFSET.get_or_init(open).map_or(0, |offset| offset.load(Ordering::SeqCst))
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    let answer = real()(clock, time);
    if answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        // SAFETY: the C library has just written it.
        unsafe { (*time).seconds += offset() };
    }
    answer
}
