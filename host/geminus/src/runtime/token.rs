//! The token for whatever writes: made once per data folder, readable by its owner only; the host keeps its hash.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use geminus_core::Digest;

/// Reads the token of a data folder, or makes one. Gives its file and its hash.
pub(crate) fn token(data: &Path) -> anyhow::Result<(PathBuf, Digest)> {
    let path = data.join("token");
    if let Ok(text) = fs::read_to_string(&path)
        && text.trim().len() >= 32
    {
        return Ok((path, Digest::of(text.trim().as_bytes())));
    }
    let text: String = random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = fs::File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| path.display().to_string())?;
    Ok((path, Digest::of(text.as_bytes())))
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut random = [0_u8; N];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("no randomness")?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_nobody_else_can_read_it() {
        let dir = tempfile::tempdir().expect("folder");
        let (path, hash) = token(dir.path()).expect("made");
        assert_eq!(token(dir.path()).expect("read").1, hash);
        let text = fs::read_to_string(&path).expect("text");
        assert_eq!((text.len(), Digest::of(text.as_bytes())), (64, hash));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        }
    }
}
