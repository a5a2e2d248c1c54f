//! What does a flag file do to the flags in force, and what is told of it?

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};

use tempfile::TempDir;

#[cfg(unix)]
mod torture;

use super::*;

/// Longer than any machine needs: reached only when the event never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A poll that never comes: what takes effect under it was told by the operating system.
const NEVER: Duration = Duration::from_secs(3600);

/// A document with one flag, whose default variant carries the number.
fn document(number: usize) -> String {
    format!(r#"{{"flags": {{"a": {{"state": "ENABLED", "variants": {{"v": {number}}}, "defaultVariant": "v"}}}}}}"#)
}

/// A directory `etc` with a `flags.json`, followed.
struct Bench {
    root: TempDir,
    live: Arc<LiveFlags>,
    events: Receiver<SourceEvent>,
    source: FlagFile,
}

impl Bench {
    fn new() -> Self {
        Self::prepared(NEVER, |etc| fs::write(etc.join("flags.json"), document(1)).unwrap())
    }

    fn prepared(poll: Duration, prepare: impl Fn(&Path)) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        prepare(&root.path().join("etc"));
        let live = Arc::new(LiveFlags::new());
        let (tell, events) = mpsc::channel();
        let on_event = move |event| drop(tell.send(event));
        let source = FlagFile::polling(&root.path().join("etc/flags.json"), Arc::clone(&live), poll, on_event);
        Self { root, live, events, source }
    }

    fn etc(&self) -> PathBuf {
        self.root.path().join("etc")
    }

    fn file(&self) -> PathBuf {
        self.etc().join("flags.json")
    }

    fn replace(&self, content: impl AsRef<[u8]>) {
        let new = self.etc().join("flags.json.new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// The next event, by its name and what is in force with it.
    #[track_caller]
    fn check(&self, expect: &str) {
        let event = self.events.recv_timeout(PATIENCE).expect("an event comes");
        assert_eq!(self.told(&event), expect);
    }

    /// Waits until a number is in force, whatever is told on the way.
    #[track_caller]
    fn check_reaches(&self, number: usize) {
        while in_force(&self.live) != number.to_string() {
            self.events.recv_timeout(PATIENCE).expect("an event comes");
        }
    }

    fn told(&self, event: &SourceEvent) -> String {
        let name = match event {
            SourceEvent::Loaded { .. } => "loaded",
            SourceEvent::Restored { .. } => "restored",
            SourceEvent::Rejected { error, .. } => error.code(),
            SourceEvent::Missing { .. } => "missing",
            SourceEvent::Unwatched { .. } => "unwatched",
        };
        format!("{name}: {}", in_force(&self.live))
    }
}

fn in_force(live: &LiveFlags) -> String {
    let snapshot = live.load();
    let Some(set) = snapshot.set() else { return "nothing".to_owned() };
    set.resolve("a", &flags::Context::new("n")).value.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_file_is_in_force_when_open_returns() {
    let bench = Bench::new();
    assert_eq!(in_force(&bench.live), "1");
    assert_eq!(bench.told(&bench.events.try_recv().unwrap()), "loaded: 1");
    assert_eq!(bench.source.path(), bench.file());
}

#[test]
fn a_missing_file_is_told_at_once_and_read_when_it_comes() {
    let bench = Bench::prepared(NEVER, |_| {});
    assert_eq!(bench.told(&bench.events.try_recv().unwrap()), "missing: nothing");
    bench.replace(document(1));
    bench.check("loaded: 1");
}

#[test]
fn a_missing_directory_is_told_at_once_and_found_when_it_comes() {
    let bench = Bench::prepared(NEVER, |etc| fs::remove_dir(etc).unwrap());
    assert_eq!(bench.told(&bench.events.try_recv().unwrap()), "missing: nothing");
    fs::create_dir(bench.etc()).unwrap();
    bench.replace(document(1));
    bench.check("loaded: 1");
    bench.replace(document(2));
    bench.check("loaded: 2");
}

#[test]
fn a_bad_file_is_told_at_once_with_place_reason_and_hint() {
    let bench = Bench::prepared(NEVER, |etc| {
        fs::write(etc.join("flags.json"), "{\n  \"flags\": {\"a\": {\"state\": 1}}}").unwrap();
    });
    let event = bench.events.try_recv().unwrap();
    assert_eq!(bench.told(&event), "WRONG_TYPE: nothing");
    let message = event.to_string().replace(bench.file().to_str().unwrap(), "FILE");
    assert_eq!(message, "FILE:2:28: flags.a.state: expected a string, found `number`");
    let hint = "write a value of the expected type, see https://flagd.dev/reference/flag-definitions/";
    assert_eq!(event.hint(), Some(hint));
}

#[test]
fn a_file_that_is_no_text_or_no_file_is_told_as_that() {
    let bench = Bench::prepared(NEVER, |etc| fs::write(etc.join("flags.json"), b"{\xff}").unwrap());
    bench.check("NOT_TEXT: nothing");
    let bench = Bench::prepared(NEVER, |etc| fs::create_dir(etc.join("flags.json")).unwrap());
    bench.check("UNREADABLE: nothing");
}

#[test]
fn a_write_in_place_takes_effect() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    fs::write(bench.file(), document(2)).unwrap();
    bench.check("loaded: 2");
}

#[test]
fn an_atomic_rename_takes_effect_time_and_again() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    for number in 2..10 {
        bench.replace(document(number));
        bench.check(&format!("loaded: {number}"));
    }
}

#[test]
fn a_deleted_file_leaves_its_flags_in_force_until_it_is_recreated() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    fs::remove_file(bench.file()).unwrap();
    bench.check("missing: 1");
    bench.replace(document(1));
    bench.check("restored: 1");
    fs::remove_file(bench.file()).unwrap();
    bench.check("missing: 1");
    bench.replace(document(2));
    bench.check("loaded: 2");
}

#[test]
fn half_a_document_leaves_the_last_good_one_and_is_told_once() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    let whole = document(2);
    fs::write(bench.file(), &whole[..whole.len() / 2]).unwrap();
    bench.check("SYNTAX: 1");
    // Touches the directory without a change of content: nothing new to tell before the whole document.
    fs::write(bench.etc().join("neighbour"), "").unwrap();
    fs::write(bench.file(), &whole[..whole.len() / 2]).unwrap();
    bench.replace(whole);
    bench.check("loaded: 2");
}

#[test]
fn a_directory_deleted_and_recreated_is_followed_on() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    for number in 2..6 {
        fs::remove_dir_all(bench.etc()).unwrap();
        bench.check(&format!("missing: {}", number - 1));
        fs::create_dir(bench.etc()).unwrap();
        bench.replace(document(number));
        bench.check(&format!("loaded: {number}"));
    }
}

#[test]
fn a_directory_recreated_before_anyone_looked_is_followed_on() {
    let bench = Bench::new();
    for number in 2..30 {
        // The new directory may well get the inode of the old one.
        fs::remove_dir_all(bench.etc()).unwrap();
        fs::create_dir(bench.etc()).unwrap();
        bench.replace(document(number));
        bench.check_reaches(number);
        bench.replace(document(1000 + number));
        bench.check_reaches(1000 + number);
    }
}

#[test]
fn a_directory_swapped_for_another_is_followed_on() {
    let bench = Bench::new();
    bench.check("loaded: 1");
    for number in 2..6 {
        let next = bench.root.path().join("next");
        fs::create_dir(&next).unwrap();
        fs::write(next.join("flags.json"), document(number)).unwrap();
        fs::rename(bench.etc(), bench.root.path().join(format!("old-{number}"))).unwrap();
        fs::rename(next, bench.etc()).unwrap();
        bench.check_reaches(number);
    }
    bench.replace(document(7));
    bench.check_reaches(7);
}

/// Swaps the link `..data` to a new directory with this document.
#[cfg(unix)]
fn publish(etc: &Path, number: usize) {
    let data = etc.join(format!("..{number}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("flags.json"), document(number)).unwrap();
    std::os::unix::fs::symlink(format!("..{number}"), etc.join("..data_tmp")).unwrap();
    fs::rename(etc.join("..data_tmp"), etc.join("..data")).unwrap();
}

#[cfg(unix)]
#[test]
fn a_link_swapped_as_kubernetes_does_takes_effect() {
    use std::os::unix::fs::symlink;
    let bench = Bench::prepared(NEVER, |etc| {
        publish(etc, 1);
        symlink("..data/flags.json", etc.join("flags.json")).unwrap();
    });
    bench.check("loaded: 1");
    for number in 2..6 {
        publish(&bench.etc(), number);
        bench.check(&format!("loaded: {number}"));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_elsewhere_is_followed_by_the_poll() {
    let bench = Bench::prepared(POLL, |etc| {
        let elsewhere = etc.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("real.json"), document(1)).unwrap();
        std::os::unix::fs::symlink("elsewhere/real.json", etc.join("flags.json")).unwrap();
    });
    bench.check("loaded: 1");
    for number in 2..5 {
        fs::write(bench.etc().join("elsewhere/real.json"), document(number)).unwrap();
        bench.check_reaches(number);
    }
}

#[test]
fn two_hundred_renames_end_with_the_last_content() {
    let bench = Bench::new();
    for number in 2..=200 {
        bench.replace(document(number));
    }
    bench.check_reaches(200);
}

#[test]
fn nothing_is_told_after_the_drop() {
    let Bench { root, live, events, source } = Bench::new();
    drop(source);
    // The channel closes when the thread has let go of the callback.
    let after: Vec<SourceEvent> = events.iter().collect();
    assert_eq!(after.len(), 1);
    fs::write(root.path().join("etc/flags.json"), document(2)).unwrap();
    assert_eq!(in_force(&live), "1");
}

#[test]
fn a_source_may_be_dropped_by_its_own_callback() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("flags.json");
    let held: Arc<Mutex<Option<FlagFile>>> = Arc::default();
    let (tell, events) = mpsc::channel();
    let holder = Arc::downgrade(&held);
    let source = FlagFile::open(&path, Arc::new(LiveFlags::new()), move |event| {
        if matches!(event, SourceEvent::Loaded { .. }) {
            drop(holder.upgrade().and_then(|held| held.lock().unwrap().take()));
        }
        let _ = tell.send(event);
    });
    *held.lock().unwrap() = Some(source);
    fs::write(&path, document(1)).unwrap();
    assert_eq!(events.iter().count(), 2, "missing, then loaded, then the thread ends");
}

/// A follower whose looks come when the test says, in milliseconds, with what the file holds then (`None`: no file).
#[track_caller]
fn check_looks(looks: &[(u64, Option<&str>)], expect: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("flags.json");
    let (tell, events) = mpsc::channel();
    let mut follower = Follower::new(path.clone(), Arc::new(LiveFlags::new()), IsOver::default(), POLL, move |event| {
        drop(tell.send(event))
    });
    let start = Instant::now();
    for (at_ms, content) in looks {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => drop(fs::remove_file(&path)),
        }
        follower.look(start + Duration::from_millis(*at_ms));
    }
    drop(follower);
    let names = events.iter().map(|event| match event {
        SourceEvent::Loaded { generation, .. } => format!("loaded {generation}"),
        SourceEvent::Restored { generation, .. } => format!("restored {generation}"),
        SourceEvent::Rejected { error, .. } => error.code().to_owned(),
        other => format!("{other:?}").split_whitespace().next().unwrap_or_default().to_lowercase(),
    });
    assert_eq!(names.collect::<Vec<_>>(), expect);
}

#[test]
fn a_half_write_that_completes_in_time_is_not_told() {
    let (one, two) = (document(1), document(2));
    check_looks(
        &[(0, Some(&one)), (10, Some("")), (20, Some(&two[..30])), (59, Some(&two))],
        &["loaded 1", "loaded 2"],
    );
    check_looks(&[(0, Some(&one)), (10, None), (20, Some(&one)), (200, Some(&one))], &["loaded 1"]);
}

#[test]
fn bad_content_is_told_once_when_it_has_settled() {
    let one = document(1);
    let bad = Some("{");
    check_looks(&[(0, Some(&one)), (10, bad), (59, bad), (60, bad), (500, bad)], &["loaded 1", "SYNTAX"]);
    // Written again in place, with an empty file in between.
    check_looks(&[(0, bad), (50, bad), (60, Some("")), (61, bad), (200, bad)], &["SYNTAX"]);
    check_looks(&[(0, bad), (50, bad), (60, Some("[")), (110, Some("["))], &["SYNTAX", "SYNTAX"]);
}

#[test]
fn trouble_after_a_recovery_is_told_again() {
    let one = document(1);
    let looks = [(0, None), (50, None), (60, Some(one.as_str())), (70, None), (120, None), (130, Some(&one))];
    check_looks(&looks, &["missing", "loaded 1", "missing", "restored 1"]);
}

#[test]
fn a_source_that_was_let_go_applies_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.json");
    fs::write(&path, r#"{ "flags": {} }"#).unwrap();
    let live = Arc::new(LiveFlags::new());
    let is_over = IsOver::default();
    let mut follower = Follower::new(path.clone(), Arc::clone(&live), Arc::clone(&is_over), POLL, |_| {});
    *is_over.lock().unwrap() = true;
    follower.look(Instant::now());
    assert_eq!(live.generation(), 0);
    *is_over.lock().unwrap() = false;
    follower.found = None;
    follower.look(Instant::now());
    assert_eq!(live.generation(), 1);
}
