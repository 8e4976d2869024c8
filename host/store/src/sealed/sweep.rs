//! Files that nobody knows: left by a host that was killed between writing a file and saying so, or between saying so
//! and removing the one before. They are removed, because their samples are in `hot.db` or in a later file. A file
//! whose hour is known nowhere else is set aside instead: `hot.db` may have been restored from before it was sealed.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::disk::Disk;
use super::place::{self, ENDING, HISTORY_FOLDER, PASSING_FOLDER, UNCLAIMED_FOLDER};
use super::{choose, manifest};
use crate::StoreError;
use crate::hot::FILE;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    pub(super) removed: usize,
    pub(super) set_aside: usize,
}

/// Looks at all files. Only whoever seals may call it: a file that is being sealed is known to nobody yet.
pub(super) fn sweep(dir: &Path, connection: &Connection, disk: &dyn Disk) -> Result<Swept, StoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause: io::Error| StoreError::Folder { path, cause }
    };
    let mut swept = Swept::default();
    let passing = dir.join(PASSING_FOLDER);
    for path in entries(&passing).map_err(failed(&passing))? {
        disk.remove(&path).map_err(failed(&path))?;
        swept.removed += 1;
    }
    let known = manifest::names(connection)?;
    let history = dir.join(HISTORY_FOLDER);
    for day in entries(&history).map_err(failed(&history))?.into_iter().filter(|path| path.is_dir()) {
        for path in entries(&day).map_err(failed(&day))? {
            let (Some(name), true) = (name_of(&path), path.extension().is_some_and(|end| end == ENDING))
            else {
                continue;
            };
            if known.contains(&name) {
                continue;
            }
            if is_elsewhere(connection, &name)? {
                disk.remove(&path).map_err(failed(&path))?;
                swept.removed += 1;
            } else {
                set_aside(dir, &path, &name, disk).map_err(failed(&path))?;
                swept.set_aside += 1;
            }
        }
    }
    Ok(swept)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name_of(path: &Path) -> Option<String> {
    let day = path.parent()?.file_name()?.to_str()?;
    Some(format!("{day}/{}", path.file_name()?.to_str()?))
}

/// Whether `hot.db` has something of the file's hour, in blocks or as another file.
fn is_elsewhere(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let Some(hour) = place::hour(name) else { return Ok(false) };
    let (start, end) = choose::bounds(hour);
    let statement = "SELECT EXISTS(SELECT 1 FROM folded WHERE t_max >= ?1 AND t_max < ?2)
        OR EXISTS(SELECT 1 FROM sealed WHERE hour = ?3)";
    let row = connection.query_row(statement, (start, end, hour.cast_signed()), |row| row.get(0));
    row.map_err(StoreError::database(FILE.name, "looking for what a file holds"))
}

fn set_aside(dir: &Path, path: &Path, name: &str, disk: &dyn Disk) -> io::Result<()> {
    let folder = dir.join(UNCLAIMED_FOLDER);
    disk.make_folder(&folder)?;
    let to = folder.join(name.replace('/', "_"));
    disk.rename(path, &to)?;
    tracing::error!(
        file = %path.display(), to = %to.display(),
        "hot.db knows nothing of this file nor of its hour: set aside. Was hot.db restored from an older backup?"
    );
    Ok(())
}
