//! Kills the program that it is preloaded into, at the write that somebody chose: a stand-in for the moment in which a
//! process dies, so that no moment is a matter of luck. Not a part of the host and not linked into it.
//!
//! `CUT_FILE` is the end of the file's path, `CUT_TEXT` what the write must hold, and `CUT_WHEN` says `before` (nothing of
//! it is in the file) or `after` (it is, and was forced to the disk: the program is killed inside that call, so that it
//! hears of neither). `tests/src/harness/cut.rs` builds it with `rustc` and starts hosts with it. Calls that do not concern
//! the file go through as they are.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn readlink(path: *const c_char, buffer: *mut c_char, size: usize) -> isize;
    fn getpid() -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
    fn pause() -> c_int;
}

const SIGKILL: c_int = 9;
const PATH_MAX: usize = 4_096;

struct Wish {
    file: Vec<u8>,
    text: Vec<u8>,
    after: bool,
}

static WISH: OnceLock<Option<Wish>> = OnceLock::new();
/// The text was written; the next time that the file is forced to the disk is the one.
static WRITTEN: AtomicBool = AtomicBool::new(false);

fn wish() -> Option<&'static Wish> {
    let read = || {
        let given = |name| std::env::var(name).ok().map(String::into_bytes);
        let after = given("CUT_WHEN")? == b"after";
        Some(Wish { file: given("CUT_FILE")?, text: given("CUT_TEXT")?, after })
    };
    WISH.get_or_init(read).as_ref()
}

fn die() -> ! {
    // SAFETY: both take plain numbers.
    unsafe { kill(getpid(), SIGKILL) };
    loop {
        // SAFETY: it takes nothing. The signal is on its way.
        unsafe { pause() };
    }
}

/// Whether this is the file. Takes nothing from the heap: it may run in a signal handler.
fn is_file(file: c_int, wish: &Wish) -> bool {
    let mut name = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let (mut digits, mut count, mut rest) = ([0_u8; 10], 0, file.unsigned_abs());
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for place in 0..count {
        name[14 + place] = digits[count - 1 - place];
    }
    let mut path = [0_u8; PATH_MAX];
    // SAFETY: the name ends with a zero and the buffer is as long as it is said to be.
    let length = unsafe { readlink(name.as_ptr().cast(), path.as_mut_ptr().cast(), PATH_MAX) };
    usize::try_from(length).is_ok_and(|length| path[..length].ends_with(&wish.file))
}

/// Looks at what is about to be written.
fn look(file: c_int, bytes: *const c_void, count: usize) {
    let Some(wish) = wish() else { return };
    if count < wish.text.len() || WRITTEN.load(Ordering::SeqCst) || !is_file(file, wish) {
        return;
    }
    // SAFETY: whoever writes gives as many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    if !bytes.windows(wish.text.len()).any(|part| part == wish.text) {
        return;
    }
    if !wish.after {
        die();
    }
    WRITTEN.store(true, Ordering::SeqCst);
}

/// Looks at a file that has just been forced to the disk.
fn forced(file: c_int, answer: c_int) -> c_int {
    if WRITTEN.load(Ordering::SeqCst) && answer == 0 && wish().is_some_and(|wish| is_file(file, wish)) {
        die();
    }
    answer
}

/// The function of this name that the program would have called without this.
macro_rules! real {
    ($name:literal as $kind:ty) => {{
        static REAL: OnceLock<usize> = OnceLock::new();
        // SAFETY: the handle means "the next one after this library", the name ends with a zero.
        let found = *REAL.get_or_init(|| unsafe { dlsym(-1_isize as *mut c_void, $name.as_ptr()) } as usize);
        // SAFETY: the C library has this function with these arguments.
        unsafe { std::mem::transmute::<usize, $kind>(found) }
    }};
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, count: usize) -> isize {
    look(file, bytes, count);
    real!(c"write" as extern "C" fn(c_int, *const c_void, usize) -> isize)(file, bytes, count)
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(file: c_int, bytes: *const c_void, count: usize, at: c_long) -> isize {
    look(file, bytes, count);
    real!(c"pwrite" as extern "C" fn(c_int, *const c_void, usize, c_long) -> isize)(file, bytes, count, at)
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(file: c_int, bytes: *const c_void, count: usize, at: c_long) -> isize {
    look(file, bytes, count);
    real!(c"pwrite64" as extern "C" fn(c_int, *const c_void, usize, c_long) -> isize)(file, bytes, count, at)
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    forced(file, real!(c"fsync" as extern "C" fn(c_int) -> c_int)(file))
}

/// # Safety
/// As the function of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    forced(file, real!(c"fdatasync" as extern "C" fn(c_int) -> c_int)(file))
}
