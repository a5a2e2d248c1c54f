//! Do audit and backtest hold over the log of a whole day?
//!
//! A day of a notebook is played on virtual time: people request, cancel and restart, and every hour the route goes the whole way
//! there and back. `HOURS` is the length of the day; `npm run test:long` plays all of it.

use std::collections::BTreeMap;

use bridge_core::{Backtest, Content, Path, Place};
use bridge_host::step::LegacyKind;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use registry::{Event, QueueId};
use tests::host::{Host, Step};

use crate::audit::audit;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The minutes of each hour at which the route changes. The old path polls every 50 ms, and so it has the shortest turns.
const ROUTES: [(u64, &str); 4] = [(0, "legacy"), (1, "shadow"), (3, "live"), (20, "registry")];

fn hours() -> u64 {
    std::env::var("HOURS").map_or(2, |hours| hours.parse().unwrap())
}

/// What happens in a minute, besides a change of route.
fn of_minute(draw: &mut ChaCha8Rng) -> Vec<Step> {
    let mut one_in = |chance: u32| draw.next_u32().is_multiple_of(chance);
    let (requests, cancels, restarts) = (!one_in(3), one_in(10), one_in(40));
    let count = 1 + u8::try_from(draw.next_u32() % 4).unwrap_or_default();
    let steps = [(requests, Step::Request(count)), (cancels, Step::Cancel), (restarts, Step::Restart)];
    steps.into_iter().filter(|(happens, _)| *happens).map(|(_, step)| step).collect()
}

/// The notebook at the end of its day.
fn day(kind: LegacyKind) -> Host {
    let mut draw = ChaCha8Rng::seed_from_u64(hours());
    let mut host = Host::with_legacy(kind);
    for minute in 0..hours() * 60 {
        host.owner.adopted.clear();
        if let Some((_, route)) = ROUTES.iter().find(|(at, _)| *at == minute % 60) {
            host.perform(Step::Flip(route));
        }
        of_minute(&mut draw).into_iter().for_each(|step| host.perform(step));
        let of_minute_ms = (minute + 1) * MINUTE_MS;
        host.owner.advance(of_minute_ms.saturating_sub(host.owner.now().mono_ms));
    }
    host.finish();
    host.owner.stop();
    host
}

fn terminals(log: &[Event]) -> BTreeMap<&QueueId, u64> {
    let mut terminals = BTreeMap::new();
    for event in log {
        if let Event::ExecutionCompleted(_) | Event::ExecutionCancelled(_) = event {
            *terminals.entry(event.queue_id().unwrap()).or_default() += 1;
        }
    }
    terminals
}

fn check(kind: LegacyKind) {
    let host = day(kind);
    let log = &host.owner.log;
    assert!(host.owner.now().mono_ms >= hours() * HOUR_MS);
    assert!(host.requested.len() as u64 > hours() * 50, "{} requests", host.requested.len());

    let expected: BTreeMap<&QueueId, u64> = host.requested.iter().map(|id| (id, 1)).collect();
    assert_eq!(terminals(log), expected, "each has its one terminal");
    let found = audit(log);
    assert!(found.is_clean(), "{:#?}", found.findings);
    assert_eq!((found.executions, found.without_request), (host.requested.len() as u64, 0));

    let mut backtest = Backtest::new(Content::Hidden);
    for (at, event) in (1..).zip(log) {
        backtest.take(Place::Event(at), event);
    }
    let parity = backtest.finish();
    assert_eq!((parity.executions, parity.mismatched), (host.requested.len() as u64, 0));
    assert_eq!(parity.replayed, (host.requested.len() - host.cancelled.len()) as u64);
    for path in [Path::Legacy, Path::Registry] {
        assert!(parity.recorded[&path].compared > 0 && parity.recorded[&path].deviating == 0, "{path:?}");
    }
}

/// Whichever end is missing from the day's log, or there twice, is found. What else is found comes of it.
fn check_harmed(kind: LegacyKind) {
    let log = day(kind).owner.log;
    let ends: Vec<usize> = (0..log.len()).filter(|at| matches!(log[*at], Event::ExecutionCompleted(_))).collect();
    for at in [ends[0], ends[ends.len() / 2], ends[ends.len() - 1]] {
        let mut without = log.clone();
        let end = without.remove(at);
        let mut twice = log.clone();
        twice.push(end.clone());
        for harmed in [without, twice] {
            let found = audit(&harmed).findings;
            assert!(found.iter().any(|finding| finding.queue_id.as_ref() == end.queue_id()), "{found:#?}");
        }
    }
}

#[test]
fn every_execution_of_a_day_has_one_terminal() {
    [LegacyKind::Compat, LegacyKind::Host].into_iter().for_each(check);
}

#[test]
fn whichever_end_is_missing_from_a_day_or_there_twice_is_found() {
    check_harmed(LegacyKind::Compat);
}
