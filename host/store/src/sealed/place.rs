//! Where sealed files lie and what they are called: `history/DAY/HOUR-CLASS-NUMBER.parquet`, in UTC. What is being
//! written and what was replaced lies in a folder beside it, so that in `history` every file is whole and current.

use std::path::{Path, PathBuf};

use super::Class;

/// Folder, in the data folder, of the files that count.
pub(crate) const HISTORY_FOLDER: &str = "history";
/// Folder, in the data folder, of files on their way in or out.
pub(crate) const PASSING_FOLDER: &str = "sealing";
/// Folder, in the data folder, of files that nobody knows and whose samples are nowhere else.
pub(crate) const UNCLAIMED_FOLDER: &str = "unclaimed";
/// Ending of the files.
pub(crate) const ENDING: &str = "parquet";

/// The name of a file below `history`, with a slash whatever the system's separator is.
pub(crate) fn name(hour: u64, class: Class, number: i64) -> String {
    let (year, month, day) = civil(hour / 24);
    format!("{year:04}-{month:02}-{day:02}/{:02}-{}-{number:08}.{ENDING}", hour % 24, class.name())
}

/// The hour that a name says.
pub(crate) fn hour(name: &str) -> Option<u64> {
    let (date, rest) = name.split_once('/')?;
    let mut parts = date.splitn(3, '-').map(str::parse::<u64>);
    let mut next = || parts.next()?.ok();
    let wanted = (next()?, next()?, next()?);
    let within: u64 = rest.get(..2)?.parse().ok().filter(|hour| *hour < 24)?;
    // A year has 365 or 366 days: its days lie between these, and are few enough to look at each.
    let years = wanted.0.checked_sub(1970).filter(|years| *years < 300)?;
    let (first, leaps) = (years * 365, years / 4 + 1);
    let day = (first..=first + 366 + leaps).find(|day| civil(*day) == wanted)?;
    Some(day * 24 + within)
}

/// The path of a file that counts.
pub(crate) fn path(dir: &Path, name: &str) -> PathBuf {
    name.split('/').fold(dir.join(HISTORY_FOLDER), |path, part| path.join(part))
}

/// The path of the same file on its way in or out: its name is its number's, which no other file has.
pub(crate) fn passing(dir: &Path, name: &str) -> PathBuf {
    dir.join(PASSING_FOLDER).join(name.replace('/', "_"))
}

/// Year, month and day of a day since 1970, after Howard Hinnant's `civil_from_days`, for days that do not come before.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let check = |days: u64, expect: (u64, u64, u64)| assert_eq!(civil(days), expect, "{days}");
        check(0, (1970, 1, 1));
        check(58, (1970, 2, 28));
        check(59, (1970, 3, 1));
        check(11_016, (2000, 2, 29));
        check(11_017, (2000, 3, 1));
        check(20_787, (2026, 11, 30));
        check(106_751, (2262, 4, 11));
    }

    #[test]
    fn a_name_says_when_and_what() {
        let name = name(20_787 * 24 + 9, Class::SetPoint, 17);
        assert_eq!(name, "2026-11-30/09-set-point-00000017.parquet");
        assert_eq!(hour(&name), Some(20_787 * 24 + 9));
        assert_eq!(hour("1970-01-01/00-measured-00000001.parquet"), Some(0));
        for strange in ["", "x", "2026-13-01/00", "2026-11-30/24-x", "2026-11-30/a", "1969-12-31/00-x"] {
            assert_eq!(hour(strange), None, "{strange}");
        }
        let dir = Path::new("data");
        assert_eq!(path(dir, &name), Path::new("data/history/2026-11-30/09-set-point-00000017.parquet"));
        assert_eq!(passing(dir, &name), Path::new("data/sealing/2026-11-30_09-set-point-00000017.parquet"));
    }
}
