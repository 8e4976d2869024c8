//! Under which name a source is known to its broker, where the site does not say: made once per data folder, with a random
//! part, so that two hosts of one site name do not throw each other out and share each other's samples.
//!
//! A data folder from before keeps the name that its session has, because under another one the samples that wait at the
//! broker would never come.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use geminus_ingest::mqtt::remembered_client_id;

use super::token;

/// Bytes of the random part.
const RANDOM_BYTES: usize = 4;

/// Where the subscriptions of a source's session are remembered.
pub(super) fn memo(data: &Path, source: &str) -> PathBuf {
    data.join(format!("session-{}.json", in_a_file_name(source)))
}

/// A source may be called what it likes.
fn in_a_file_name(source: &str) -> String {
    source.replace('/', "%2F")
}

/// Reads the client id of a source, or makes one. Blocks on the disk.
///
/// # Errors
/// When the data folder cannot be read or written.
pub(super) fn client_id(data: &Path, site: &str, source: &str) -> anyhow::Result<String> {
    let path = data.join(format!("client-{}.txt", in_a_file_name(source)));
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    }
    let id = match remembered_client_id(&memo(data, source)) {
        Some(id) => id,
        None => {
            let random: String =
                token::random::<RANDOM_BYTES>()?.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("geminus-{site}-{source}-{random}")
        }
    };
    keep(&path, &id).with_context(|| path.display().to_string())?;
    Ok(id)
}

/// Whole or not at all, also when the power goes.
fn keep(path: &Path, id: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_folder_has_its_own_id_and_keeps_it() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("folder"));
        let id = |place: usize, source: &str| {
            client_id(folders.get(place).expect("folder").path(), "plant", source).expect("an id")
        };
        let first = id(0, "field");
        assert!(first.starts_with("geminus-plant-field-"), "{first}");
        assert_eq!(first.len(), "geminus-plant-field-".len() + 2 * RANDOM_BYTES);
        assert_eq!(id(0, "field"), first, "kept");
        assert_ne!(id(1, "field"), first, "another folder is another client");
        assert_ne!(id(0, "hall"), first);
        assert_eq!(id(0, "hall/east"), id(0, "hall/east"));
        // A copy of a data folder is the same client: it has the same session.
        let file = |place: usize| folders.get(place).expect("folder").path().join("client-field.txt");
        fs::copy(file(0), file(1)).expect("copied");
        assert_eq!(id(1, "field"), first);
    }

    #[test]
    fn a_session_from_before_keeps_its_name() {
        let folder = tempfile::tempdir().expect("folder");
        let page = r#"{"client_id":"geminus-plant-field","broker":"b:1","qos":1,"filters":["a"]}"#;
        fs::write(memo(folder.path(), "field"), page).expect("written");
        fs::write(memo(folder.path(), "torn"), "{torn").expect("written");
        let id = |source: &str| client_id(folder.path(), "plant", source).expect("an id");
        assert_eq!(id("field"), "geminus-plant-field");
        fs::remove_file(memo(folder.path(), "field")).expect("removed");
        assert_eq!(id("field"), "geminus-plant-field", "also when the memo is gone later");
        assert!(id("torn").starts_with("geminus-plant-torn-"), "a torn memo names none");
    }
}
