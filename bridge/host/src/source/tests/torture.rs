//! Does one source outlive everything that can happen to its file, in one go?
//!
//! After each blow the last good flags are in force, its trouble has been told, and a good document that follows takes effect.
//! The generation only rises.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;

use super::*;

/// A source under blows, and what must hold of it.
struct Victim {
    bench: Bench,
    /// The number of the document in force.
    number: usize,
    generation: u64,
    /// How often each trouble has been told.
    troubles: BTreeMap<&'static str, usize>,
}

impl Victim {
    fn new() -> Self {
        let bench = Bench::prepared(POLL, |etc| fs::write(etc.join("flags.json"), document(1)).unwrap());
        let mut victim = Self { bench, number: 1, generation: 0, troubles: BTreeMap::new() };
        victim.follow(1);
        victim
    }

    /// A blow that ends with a good document, given the number before its own; that takes effect.
    #[track_caller]
    fn accepts(&mut self, documents: usize, blow: impl FnOnce(&Bench, usize)) {
        blow(&self.bench, self.number);
        self.follow(self.number + documents);
    }

    /// Takes what is told until this document is in force.
    #[track_caller]
    fn follow(&mut self, number: usize) {
        loop {
            match self.told() {
                SourceEvent::Loaded { generation, .. } => {
                    assert!(generation > self.generation, "{generation} after {}", self.generation);
                    self.generation = generation;
                }
                SourceEvent::Restored { generation, .. } => assert_eq!(generation, self.generation),
                trouble => self.count(&trouble),
            }
            if in_force(&self.bench.live) == number.to_string() && self.bench.live.generation() == self.generation {
                self.number = number;
                return;
            }
        }
    }

    /// A blow that leaves nothing good: it is told as this, and the flags in force stay.
    #[track_caller]
    fn refuses(&mut self, trouble: &'static str, blow: impl FnOnce(&Bench)) {
        let before = self.troubles.get(trouble).copied().unwrap_or_default();
        blow(&self.bench);
        while self.troubles.get(trouble).is_none_or(|told| *told == before) {
            let event = self.told();
            self.count(&event);
        }
        assert_eq!(in_force(&self.bench.live), self.number.to_string());
        assert_eq!(self.bench.live.generation(), self.generation);
    }

    #[track_caller]
    fn told(&self) -> SourceEvent {
        self.bench.events.recv_timeout(PATIENCE).expect("an event comes")
    }

    #[track_caller]
    fn count(&mut self, event: &SourceEvent) {
        let name = match event {
            SourceEvent::Rejected { error, .. } => error.code(),
            SourceEvent::Missing { .. } => "missing",
            other => panic!("not a trouble: {other}"),
        };
        assert!(event.hint().is_some_and(|hint| !hint.is_empty()));
        *self.troubles.entry(name).or_default() += 1;
    }
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn renames(victim: &mut Victim, times: usize) {
    victim.accepts(times, |bench, number| (1..=times).for_each(|more| bench.replace(document(number + more))));
}

fn writes_in_place(victim: &mut Victim, times: usize) {
    victim.accepts(times, |bench, number| {
        (1..=times).for_each(|more| fs::write(bench.file(), document(number + more)).unwrap());
    });
}

fn half_a_document(victim: &mut Victim) {
    let half = document(0);
    victim.refuses("SYNTAX", |bench| fs::write(bench.file(), &half[..half.len() / 2]).unwrap());
    writes_in_place(victim, 1);
}

fn deletion(victim: &mut Victim) {
    victim.refuses("missing", |bench| fs::remove_file(bench.file()).unwrap());
    renames(victim, 1);
}

fn deletion_of_the_directory(victim: &mut Victim) {
    victim.refuses("missing", |bench| fs::remove_dir_all(bench.etc()).unwrap());
    victim.accepts(1, |bench, number| {
        fs::create_dir(bench.etc()).unwrap();
        bench.replace(document(number + 1));
    });
}

fn swap_of_the_directory(victim: &mut Victim) {
    victim.accepts(1, |bench, number| {
        let (next, old) = (bench.root.path().join("next"), bench.root.path().join(format!("old-{number}")));
        fs::create_dir(&next).unwrap();
        fs::write(next.join("flags.json"), document(number + 1)).unwrap();
        fs::rename(bench.etc(), old).unwrap();
        fs::rename(next, bench.etc()).unwrap();
    });
}

fn links_of_kubernetes(victim: &mut Victim) {
    victim.accepts(1, |bench, number| {
        publish(&bench.etc(), number + 1);
        symlink("..data/flags.json", bench.etc().join("link")).unwrap();
        fs::rename(bench.etc().join("link"), bench.file()).unwrap();
    });
    for _ in 0..20 {
        victim.accepts(1, |bench, number| publish(&bench.etc(), number + 1));
    }
    victim.refuses("missing", |bench| fs::remove_file(bench.etc().join("..data")).unwrap());
    renames(victim, 1);
}

fn a_directory_in_place_of_the_file(victim: &mut Victim) {
    victim.refuses("UNREADABLE", |bench| {
        fs::remove_file(bench.file()).unwrap();
        fs::create_dir(bench.file()).unwrap();
    });
    victim.accepts(1, |bench, number| {
        fs::remove_dir(bench.file()).unwrap();
        bench.replace(document(number + 1));
    });
}

fn a_file_that_may_not_be_read(victim: &mut Victim) {
    let probe = victim.bench.root.path().join("probe");
    fs::write(&probe, "").unwrap();
    mode(&probe, 0);
    // The superuser may read everything.
    if File::open(&probe).is_err() {
        victim.refuses("UNREADABLE", |bench| mode(&bench.file(), 0));
    }
    renames(victim, 1);
}

fn strange_texts(victim: &mut Victim) {
    victim.accepts(1, |bench, number| bench.replace(document(number + 1).replace(", ", ",\r\n") + "\r\n"));
    victim.accepts(1, |bench, number| bench.replace(format!("\u{feff}{}", document(number + 1))));
    victim.refuses("TOO_LARGE", |bench| bench.replace(document(0) + &" ".repeat(10 << 20)));
    victim.refuses("SYNTAX", |bench| bench.replace(document(0).replace("flags", "fl\0gs")));
    victim.refuses("NOT_TEXT", |bench| bench.replace([b'{', 0xff, b'}']));
    victim.refuses("SYNTAX", |bench| bench.replace(""));
    victim.refuses("SYNTAX", |bench| bench.replace("\0".repeat(1 << 16)));
    renames(victim, 1);
}

#[test]
fn a_source_outlives_whatever_happens_to_its_file() {
    let mut victim = Victim::new();
    renames(&mut victim, 1000);
    for _ in 0..3 {
        half_a_document(&mut victim);
        writes_in_place(&mut victim, 100);
        deletion(&mut victim);
        deletion_of_the_directory(&mut victim);
        swap_of_the_directory(&mut victim);
        links_of_kubernetes(&mut victim);
        a_directory_in_place_of_the_file(&mut victim);
        a_file_that_may_not_be_read(&mut victim);
        strange_texts(&mut victim);
    }
    renames(&mut victim, 100);
    assert_eq!(in_force(&victim.bench.live), victim.number.to_string());
    let least = [("NOT_TEXT", 3), ("SYNTAX", 12), ("TOO_LARGE", 3), ("UNREADABLE", 3), ("missing", 9)];
    for (trouble, times) in least {
        assert!(victim.troubles[trouble] >= times, "{trouble}: {:?}", victim.troubles);
    }

    let Bench { events, source, root: _root, .. } = victim.bench;
    drop(source);
    // The channel closes when the thread has let go of the callback.
    assert_eq!(events.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}

/// The threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn sources_that_were_dropped_leave_no_thread_behind() {
    let before = threads();
    for _ in 0..200 {
        drop(Bench::new().source);
    }
    // Each leaked source would leave a thread or two; tests beside this one may have a few.
    let deadline = Instant::now() + PATIENCE;
    while threads() > before + 50 {
        assert!(Instant::now() < deadline, "{} threads, {before} before", threads());
        thread::yield_now();
    }
}
