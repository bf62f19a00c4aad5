//! Log files that were put aside: how they are named, which of them stay.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::rotate::Rotation;

/// The length of `2006-01-02T15-04-05.000`. Moments of this form are in the order of their letters.
const MOMENT_LETTERS: usize = 23;
const COMPRESSED: &str = ".gz";

#[derive(Clone)]
pub struct Backups {
    path: PathBuf,
    rotation: Rotation,
}

impl Backups {
    pub fn new(path: PathBuf, rotation: Rotation) -> Self {
        Backups { path, rotation }
    }

    /// The file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the file that is written. No file that is there already is overwritten.
    pub fn put_aside(&self, now: SystemTime) -> io::Result<()> {
        let moments = (0..).map(|ms| now + Duration::from_millis(ms));
        let names = moments.map(|moment| self.named(&self.moment(moment)));
        let mut free = names.filter(|name| !name.exists() && !compressed(name).exists());
        let name = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
        std::fs::rename(&self.path, name)
    }

    fn named(&self, moment: &str) -> PathBuf {
        let (stem, extension) = self.stem_and_extension();
        self.path.with_file_name(format!("{stem}-{moment}{extension}"))
    }

    fn stem_and_extension(&self) -> (String, String) {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.rfind('.') {
            Some(dot) => (name[..dot].to_owned(), name[dot..].to_owned()),
            None => (name, String::new()),
        }
    }

    fn moment(&self, at: SystemTime) -> String {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = if self.rotation.local_time { utc_offset(since) } else { 0 };
        let micros = since.as_micros() as i64 + offset * 1_000_000;
        let text = taffrail_api::timestamp(micros.unsigned_abs().into());
        text[..MOMENT_LETTERS].replace(':', "-")
    }

    /// Removes what is too old or too many, compresses the rest if that is asked for.
    pub fn sweep(&self, now: SystemTime) -> io::Result<()> {
        let mut backups = self.all()?;
        backups.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = self
            .rotation
            .age_max
            .and_then(|age| now.checked_sub(age))
            .map(|at| self.moment(at));
        for (place, (moment, path)) in backups.iter().enumerate() {
            let too_many = self.rotation.backups_max.is_some_and(|max| place >= max);
            if too_many || oldest.as_ref().is_some_and(|oldest| moment < oldest) {
                std::fs::remove_file(path)?;
            } else if self.rotation.compress && !is_compressed(path) {
                compress(path)?;
            }
        }
        Ok(())
    }

    /// Moment and path of each.
    fn all(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let entry = entry?;
            if let Some(moment) = self.moment_of(&entry.file_name().to_string_lossy()) {
                found.push((moment, entry.path()));
            }
        }
        Ok(found)
    }

    fn moment_of(&self, name: &str) -> Option<String> {
        let (stem, extension) = self.stem_and_extension();
        let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
        let moment = name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&extension)?;
        let fits = |(place, letter): (usize, u8)| match place {
            4 | 7 | 13 | 16 => letter == b'-',
            10 => letter == b'T',
            19 => letter == b'.',
            _ => letter.is_ascii_digit(),
        };
        let whole = moment.len() == MOMENT_LETTERS && moment.bytes().enumerate().all(fits);
        whole.then(|| moment.to_owned())
    }
}

fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(COMPRESSED);
    name.into()
}

fn is_compressed(path: &Path) -> bool {
    path.to_string_lossy().ends_with(COMPRESSED)
}

/// The file goes only once all of it is in the other one, on the disk.
fn compress(path: &Path) -> io::Result<()> {
    let mut unfinished = compressed(path).into_os_string();
    unfinished.push(".partial");
    let mut to = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut to)?;
    to.finish()?.sync_all()?;
    std::fs::rename(unfinished, compressed(path))?;
    std::fs::remove_file(path)
}

/// Seconds that this machine's clock is ahead of UTC at that time.
#[expect(unsafe_code, reason = "only the C library knows the time zone")]
fn utc_offset(since_epoch: Duration) -> i64 {
    let seconds = since_epoch.as_secs() as libc::time_t;
    // SAFETY: both are valid for the length of the call, and all zeroes are a `tm`.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    let found = unsafe { libc::localtime_r(&raw const seconds, &raw mut local) };
    if found.is_null() { 0 } else { local.tm_gmtoff }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn backups(dir: &Path, json: &str) -> Backups {
        Backups::new(dir.join("a.log"), Rotation::parse(json).expect("valid"))
    }

    fn put_aside_on_days(backups: &Backups, days: u32) {
        for day in 0..days {
            std::fs::write(backups.path(), format!("day {day}")).expect("written");
            backups.put_aside(UNIX_EPOCH + DAY * day).expect("put aside");
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("readable");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_name_tells_when_a_file_was_put_aside_and_none_is_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let backups = backups(dir.path(), "{}");
        put_aside_on_days(&backups, 1);
        put_aside_on_days(&backups, 1);
        assert_eq!(
            names(dir.path()),
            ["a-1970-01-01T00-00-00.000.log", "a-1970-01-01T00-00-00.001.log"]
        );
    }

    #[test]
    fn what_is_too_old_or_too_many_goes_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a-notes.log"), "mine").expect("written");
        put_aside_on_days(&backups(dir.path(), "{}"), 5);
        let now = UNIX_EPOCH + DAY * 4;
        backups(dir.path(), r#"{"maxage": 2}"#).sweep(now).expect("swept");
        assert_eq!(names(dir.path()).len(), 4);
        backups(dir.path(), r#"{"maxbackups": 1}"#).sweep(now).expect("swept");
        assert_eq!(names(dir.path()), ["a-1970-01-05T00-00-00.000.log", "a-notes.log"]);
    }

    #[test]
    fn a_compressed_file_holds_what_the_file_held() {
        let dir = tempfile::tempdir().expect("a folder");
        let backups = backups(dir.path(), r#"{"compress": true}"#);
        put_aside_on_days(&backups, 1);
        backups.sweep(UNIX_EPOCH).expect("swept");
        backups.sweep(UNIX_EPOCH).expect("swept again");
        let name = "a-1970-01-01T00-00-00.000.log.gz";
        assert_eq!(names(dir.path()), [name]);
        let file = File::open(dir.path().join(name)).expect("readable");
        let text = io::read_to_string(flate2::read::GzDecoder::new(file)).expect("gzip");
        assert_eq!(text, "day 0");
    }
}
