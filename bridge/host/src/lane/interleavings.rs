//! Does the desk keep its word in whatever order its threads run? Shuttle plays submitters, workers, a keeper and the owner
//! over the very same desk, on locks of its own that it schedules.

mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
}

#[path = "desk.rs"]
#[expect(clippy::duplicate_mod, reason = "once more, on what shuttle can interrupt")]
#[expect(dead_code, reason = "only real time passes by itself, and is not explored")]
mod desk;

use std::collections::BTreeSet;

use desk::{Desk, Limits, NEVER, Place, Shift};
use shuttle::thread;
use sync::Arc;

/// Schedules that each test is played under. A desk without its check for a stale shift fails within the first hundred.
const SCHEDULES: usize = 3000;

/// A job is its number. A result is the number and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Worker,
    Keeper,
    Off,
}

type Results = Vec<(u32, By)>;
type Table = Arc<Desk<u32, (u32, By)>>;

fn table(jobs: usize, wedged: usize) -> (Table, Shift) {
    let (desk, shift) = Desk::new(Limits { jobs, bytes: 100, wedged });
    (Arc::new(desk), shift)
}

fn work(desk: &Table, shift: Shift) {
    while let Some(job) = desk.next(shift, |_| 1) {
        // The candidate, during which anything may happen elsewhere.
        thread::yield_now();
        desk.finish(shift, (*job, By::Worker));
    }
}

/// Looks a few times, and abandons whatever it finds under way: the unluckiest keeper there can be.
fn keep(desk: &Table, looks: usize) -> Vec<thread::JoinHandle<()>> {
    let mut workers = Vec::new();
    for _ in 0..looks {
        thread::yield_now();
        let Some((shift, job)) = desk.overdue(NEVER - 1) else { continue };
        match desk.abandon(shift, &job, (*job, By::Keeper)) {
            Place::Free(shift) => {
                let desk = Arc::clone(desk);
                workers.push(thread::spawn(move || work(&desk, shift)));
            }
            Place::Off => desk.switch_off(|job| (*job, By::Off)),
            Place::Taken => {}
        }
    }
    workers
}

/// Plays submitters, a worker, a keeper and an owner who fetches, and gives what was taken in and what came out.
fn play(room: usize, wedged: usize, looks: usize) -> (Table, BTreeSet<u32>, Results) {
    let (desk, shift) = table(room, wedged);
    let worker = thread::spawn({
        let desk = Arc::clone(&desk);
        move || work(&desk, shift)
    });
    let keeper = thread::spawn({
        let desk = Arc::clone(&desk);
        move || keep(&desk, looks)
    });
    let submitter = thread::spawn({
        let desk = Arc::clone(&desk);
        move || (0..4).filter(|job| desk.submit(*job, 10)).collect::<BTreeSet<u32>>()
    });
    let mut results = Results::new();
    let fetch = |results: &mut Results| results.extend(desk.take_done(|_| true));
    fetch(&mut results);
    let taken = submitter.join().unwrap();
    let workers = keeper.join().unwrap();
    // What is left is done by whoever is on shift, unless it was switched off.
    while results.len() < taken.len() {
        fetch(&mut results);
        thread::yield_now();
    }
    desk.close();
    for worker in workers.into_iter().chain([worker]) {
        worker.join().unwrap();
    }
    fetch(&mut results);
    (desk, taken, results)
}

#[test]
fn every_job_taken_in_comes_out_once() {
    shuttle::check_random(
        || {
            let (desk, taken, results) = play(8, 9, 3);
            let numbers: Vec<u32> = results.iter().map(|(job, _)| *job).collect();
            assert_eq!(numbers.len(), taken.len(), "{results:?}");
            assert_eq!(numbers.into_iter().collect::<BTreeSet<u32>>(), taken);
            let load = desk.load();
            assert_eq!((load.waiting, load.bytes, load.wedged, load.is_off), (0, 0, 0, false));
        },
        SCHEDULES,
    );
}

#[test]
fn what_does_not_fit_is_refused_and_not_lost() {
    shuttle::check_random(
        || {
            let (desk, taken, results) = play(1, 9, 1);
            assert!(!taken.is_empty());
            assert_eq!(results.iter().map(|(job, _)| *job).collect::<BTreeSet<u32>>(), taken);
            assert_eq!(desk.load().bytes, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn once_off_it_does_nothing_more_and_keeps_nobody_waiting() {
    shuttle::check_random(
        || {
            let (desk, taken, results) = play(8, 1, 4);
            assert_eq!(results.iter().map(|(job, _)| *job).collect::<BTreeSet<u32>>(), taken, "{results:?}");
            assert_eq!(results.len(), taken.len());
            let abandoned = results.iter().filter(|(_, by)| *by == By::Keeper).count();
            assert_eq!(desk.load().is_off, abandoned == 1, "{results:?}");
            assert!(!desk.submit(9, 1));
        },
        SCHEDULES,
    );
}
