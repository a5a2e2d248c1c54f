//! Plays seeds until so many sessions have been flipped, on every core, and prints the account.
//!
//! Called as `simulate FLIPS [FIRST_SEED]`. It ends with status 1 at the first seed that breaks an invariant.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tests::simulator::{Campaign, Found};

/// Where the threads stand.
struct Progress {
    wanted: u64,
    next_seed: AtomicU64,
    flips: AtomicU64,
    has_failed: AtomicBool,
    /// Locked once a thread, when it is done.
    total: Mutex<(Campaign, Option<Box<Found>>)>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let (Some(Ok(wanted)), Ok(first)) = (arguments.next(), arguments.next().unwrap_or(Ok(0))) else {
        let _ = writeln!(std::io::stderr(), "called as `simulate FLIPS [FIRST_SEED]`");
        return ExitCode::from(2);
    };
    let progress = Progress {
        wanted,
        next_seed: AtomicU64::new(first),
        flips: AtomicU64::new(0),
        has_failed: AtomicBool::new(false),
        total: Mutex::default(),
    };
    let began = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| play(&progress)))));
    let (total, found) = progress.total.into_inner().unwrap_or_default();
    report(&total, found.as_deref(), first, began.elapsed().as_secs_f64())
}

fn play(progress: &Progress) {
    let mut campaign = Campaign::default();
    let mut found = None;
    while progress.flips.load(Ordering::Relaxed) < progress.wanted && !progress.has_failed.load(Ordering::Relaxed) {
        let flips = campaign.flips;
        if let Err(failure) = campaign.play(progress.next_seed.fetch_add(1, Ordering::Relaxed), None) {
            progress.has_failed.store(true, Ordering::Relaxed);
            found = Some(failure);
        }
        progress.flips.fetch_add(campaign.flips - flips, Ordering::Relaxed);
    }
    if let Ok(mut total) = progress.total.lock() {
        total.0.merge(campaign);
        total.1 = total.1.take().or(found);
    }
}

fn report(total: &Campaign, found: Option<&Found>, first: u64, seconds: f64) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let Campaign { seeds, flips, steps, admitted, ended, compared, .. } = total;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let rate = *flips as f64 / seconds;
    let _ =
        writeln!(out, "{flips} flips in {seconds:.1} s ({rate:.0} flips/s), {seeds} seeds from {first}, {steps} steps");
    let _ = writeln!(out, "{admitted} executions admitted, {ended} ended, {compared} compared");
    for (limit, count) in &total.excused {
        let _ = writeln!(out, "excused by {limit:?}: {count}");
    }
    match found {
        Some(found) => {
            let _ = writeln!(out, "{found}");
            ExitCode::FAILURE
        }
        None => {
            let _ = writeln!(out, "0 lost, 0 doubled");
            ExitCode::SUCCESS
        }
    }
}
