//! Do readers and writers of the flags see one history in whatever order they run? Shuttle plays them over the very same code,
//! on a swap that it can interrupt between any two accesses.

/// What `arc-swap` does, one access at a time.
#[expect(clippy::disallowed_types, reason = "a model of what never waits, with a lock in its place")]
mod swap {
    use std::cell::Cell;
    use std::sync::{Arc, Mutex, PoisonError};

    thread_local! {
        /// Shuttle's threads share one thread of the operating system's; other tests have theirs to themselves.
        pub(super) static IS_EXPLORED: Cell<bool> = const { Cell::new(false) };
    }

    fn interrupt() {
        if IS_EXPLORED.get() {
            shuttle::thread::yield_now();
        }
    }

    #[derive(Debug)]
    pub(super) struct ArcSwapAny<T>(Mutex<T>);

    pub(super) type ArcSwap<T> = ArcSwapAny<Arc<T>>;
    pub(super) type ArcSwapOption<T> = ArcSwapAny<Option<Arc<T>>>;

    impl<T: Clone> ArcSwapAny<T> {
        fn access<R>(&self, access: impl FnOnce(&mut T) -> R) -> R {
            interrupt();
            access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        pub(super) fn load_full(&self) -> T {
            self.access(|value| value.clone())
        }

        pub(super) fn load(&self) -> T {
            self.load_full()
        }

        pub(super) fn store(&self, new: T) {
            self.access(|value| *value = new);
        }
    }

    impl<T> ArcSwap<T> {
        pub(super) fn from_pointee(value: T) -> Self {
            Self(Mutex::new(Arc::new(value)))
        }

        pub(super) fn rcu(&self, mut next: impl FnMut(&Arc<T>) -> Arc<T>) -> Arc<T> {
            loop {
                let before = self.load_full();
                let new = next(&before);
                let is_swapped = self.access(|value| {
                    let is_same = Arc::ptr_eq(value, &before);
                    if is_same {
                        *value = new;
                    }
                    is_same
                });
                if is_swapped {
                    return before;
                }
            }
        }
    }

    impl<T> ArcSwapOption<T> {
        pub(super) fn empty() -> Self {
            Self(Mutex::new(None))
        }
    }
}

#[path = "live.rs"]
#[expect(clippy::duplicate_mod, dead_code, unreachable_pub, reason = "once more, on what shuttle can interrupt")]
mod live;

use std::sync::Arc;

use live::{Applied, LiveFlags};
use shuttle::thread;

/// Schedules that each test is played under.
const SCHEDULES: usize = 500;

fn document(variant: &str) -> String {
    format!(
        r#"{{"flags": {{"a": {{"state": "ENABLED", "variants": {{"{variant}": true}}, "defaultVariant": "{variant}"}}}}}}"#
    )
}

/// Writers that apply their documents in order, and a reader who looks until they are done.
fn play(writers: &'static [&'static [&'static str]]) -> (Vec<Applied>, Vec<u64>, Arc<LiveFlags>) {
    let live = Arc::new(LiveFlags::new());
    let writers = writers.iter().map(|documents| {
        let live = Arc::clone(&live);
        let apply = move |name: &&str| live.apply(&document(name), "test").unwrap();
        thread::spawn(move || documents.iter().map(apply).collect::<Vec<_>>())
    });
    let writers: Vec<_> = writers.collect();
    let reader = thread::spawn({
        let live = Arc::clone(&live);
        move || (0..6).map(|_| live.load().generation()).collect::<Vec<u64>>()
    });
    let applied = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    (applied, reader.join().unwrap(), live)
}

fn explore(test: impl Fn() + Send + Sync + 'static) {
    swap::IS_EXPLORED.set(true);
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn generations_are_the_changes_and_no_reader_sees_them_go_back() {
    explore(|| {
        let (applied, seen, live) = play(&[&["a", "b"], &["c", "a"]]);
        let mut changes: Vec<u64> = applied.iter().filter(|one| one.changed).map(|one| one.generation).collect();
        changes.sort_unstable();
        assert_eq!(changes, (1..=live.generation()).collect::<Vec<_>>());
        assert!(seen.is_sorted(), "{seen:?}");
    });
}

#[test]
fn the_same_document_from_two_sources_is_one_change() {
    explore(|| {
        let (applied, _, live) = play(&[&["a"], &["a"], &["a"]]);
        assert_eq!(live.generation(), 1);
        assert_eq!(applied.iter().filter(|one| one.changed).count(), 1);
    });
}
