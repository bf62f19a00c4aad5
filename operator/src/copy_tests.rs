use tempfile::TempDir;

use super::*;

struct Disk {
    root: TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self {
            root: TempDir::new().unwrap(),
        };
        fs::create_dir_all(disk.from().join("member/snap")).unwrap();
        fs::create_dir_all(disk.from().join("member/empty")).unwrap();
        fs::write(disk.from().join("member/snap/db"), vec![7; 3_000_000]).unwrap();
        fs::write(disk.from().join("member/wal"), "log").unwrap();
        fs::write(disk.from().join("vote"), "").unwrap();
        disk
    }

    fn from(&self) -> PathBuf {
        self.root.path().join("from/etcd")
    }

    fn to(&self) -> PathBuf {
        self.root.path().join("to/etcd")
    }

    fn copy(&self) -> Result<Copied, CopyError> {
        copy(&self.from(), &self.to())
    }

    /// Every file of the copy but the marks, with what is in it.
    fn is_whole(&self) -> bool {
        let read = |root: PathBuf| -> BTreeMap<PathBuf, Vec<u8>> {
            let all = inventory(&root).unwrap();
            let files = all.iter().filter(|(_, entry)| matches!(entry, Entry::File(_)));
            files
                .map(|(name, _)| (name.clone(), fs::read(root.join(name)).unwrap()))
                .collect()
        };
        let mut there = read(self.to());
        let marked = there.remove(Path::new(DONE)).is_some();
        marked && there == read(self.from()) && self.to().join("member/empty").is_dir()
    }
}

#[test]
fn every_byte_is_copied_and_marked() {
    let disk = Disk::new();
    let done = disk.copy().unwrap();
    assert_eq!(
        done,
        Copied {
            files: 3,
            bytes: 3_000_003,
            already: false
        }
    );
    assert!(disk.is_whole());
    assert!(disk.copy().unwrap().already);
}

#[test]
fn nothing_that_was_there_is_written_over() {
    let disk = Disk::new();
    fs::create_dir_all(disk.to()).unwrap();
    fs::write(disk.to().join("vote"), "theirs").unwrap();
    assert!(matches!(disk.copy(), Err(CopyError::Occupied(_))));
    assert_eq!(fs::read_to_string(disk.to().join("vote")).unwrap(), "theirs");
    assert_eq!(fs::read_dir(disk.to()).unwrap().count(), 1);
}

#[test]
fn a_finished_copy_of_something_else_stays() {
    let disk = Disk::new();
    disk.copy().unwrap();
    fs::write(disk.from().join("member/wal"), "LOG").unwrap();
    assert!(
        matches!(disk.copy(), Err(CopyError::Occupied(_))),
        "same names and sizes, other bytes"
    );
    assert_eq!(fs::read_to_string(disk.to().join("member/wal")).unwrap(), "log");
}

#[test]
fn a_crash_anywhere_leaves_no_mark_and_the_next_run_finishes() {
    let whole = inventory(&Disk::new().from()).unwrap().len();
    for crash in 0..=whole {
        let disk = Disk::new();
        let source = inventory(&disk.from()).unwrap();
        let identity = identity(&disk.from(), &source).unwrap();
        fs::create_dir_all(disk.to()).unwrap();
        write_mark(&disk.to(), BEGUN, &identity).unwrap();
        for (name, entry) in source.iter().take(crash) {
            entry.copy(&disk.from().join(name), &disk.to().join(name)).unwrap();
        }
        // The last file is there by half.
        if let Some((name, Entry::File(bytes))) = source.iter().nth(crash) {
            let half = usize::try_from(bytes / 2).unwrap();
            fs::write(disk.to().join(name), vec![7; half]).unwrap();
        }
        assert!(!disk.to().join(DONE).exists());
        assert!(!disk.copy().unwrap().already);
        assert!(disk.is_whole(), "{crash}");
    }
}

#[test]
fn a_crash_while_the_first_mark_is_written_stops_nobody() {
    let disk = Disk::new();
    fs::create_dir_all(disk.to()).unwrap();
    fs::write(disk.to().join(HALF_A_MARK), "").unwrap();
    disk.copy().unwrap();
    assert!(disk.is_whole());
}

#[test]
fn a_crash_between_the_two_marks_is_a_finished_copy() {
    let disk = Disk::new();
    disk.copy().unwrap();
    fs::copy(disk.to().join(DONE), disk.to().join(BEGUN)).unwrap();
    assert!(disk.copy().unwrap().already);
}

#[test]
fn a_source_that_is_empty_or_strange_is_refused() {
    let disk = Disk::new();
    std::os::unix::fs::symlink("/etc", disk.from().join("link")).unwrap();
    assert!(matches!(disk.copy(), Err(CopyError::Strange(_))));
    let empty = TempDir::new().unwrap();
    assert!(matches!(copy(empty.path(), &disk.to()), Err(CopyError::Nothing(_))));
    assert!(!disk.to().exists());
}

#[test]
fn the_root_of_a_volume_may_have_what_its_file_system_put_there() {
    let disk = Disk::new();
    for root in [disk.from(), disk.to()] {
        fs::create_dir_all(root.join(LOST_AND_FOUND)).unwrap();
    }
    disk.copy().unwrap();
}
