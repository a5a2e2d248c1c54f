//! A route decision in Rust: nanoseconds and allocations a call, as JSON on standard output.
//!
//! Standard input is the flag document, the only argument how many rounds to time.

#![expect(clippy::print_stdout, reason = "its output is the measurement")]

use std::hint::black_box;
use std::io;
use std::time::Instant;

use bridge_core::{Ability, ROUTE_FLAG, decide_in};
use flags::{Context, LiveFlags, Session};

/// Calls a round: long enough that reading the clock does not count.
const CALLS: usize = 20_000;

/// Rounds that only warm up.
const WARM_UP: usize = 3;

/// Notebooks asked for in turn, so that no answer can be predicted.
const NOTEBOOKS: usize = 1000;

const ABLE: Ability = Ability { is_built_in: true, has_live_query: true };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let document = io::read_to_string(io::stdin())?;
    let rounds = std::env::args().nth(1).map_or(Ok(50), |rounds| rounds.parse())?;
    let live = LiveFlags::new();
    live.apply(&document, "standard input")?;
    let snapshot = live.load();
    let set = snapshot.set().ok_or("no flags")?;
    let contexts: Vec<Context> = (0..NOTEBOOKS).map(|n| Context::new(format!("notebook-{n}"))).collect();

    let (mut evaluations, mut decisions) = (Session::new(), Session::new());
    let mut evaluate = |turn: usize| {
        black_box(evaluations.resolve(set, ROUTE_FLAG, black_box(&contexts[turn % NOTEBOOKS])));
    };
    let mut decide = |turn: usize| {
        black_box(decide_in(&mut decisions, &live.load(), true, black_box(&contexts[turn % NOTEBOOKS]), ABLE));
    };
    let (evaluate_ns, decide_ns) = interleaved(rounds, &mut evaluate, &mut decide);
    let report = serde_json::json!({
        "evaluate": { "nanoseconds": evaluate_ns, "allocations": allocations(&mut evaluate) },
        "decide": { "nanoseconds": decide_ns, "allocations": allocations(&mut decide) },
    });
    println!("{report}");
    Ok(())
}

/// The medians of both, which take turns, so that a busy moment of the machine hits both.
fn interleaved(rounds: usize, one: &mut impl FnMut(usize), other: &mut impl FnMut(usize)) -> (f64, f64) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for round in 0..rounds + WARM_UP {
        let times = (nanoseconds(one), nanoseconds(other));
        if round >= WARM_UP {
            ones.push(times.0);
            others.push(times.1);
        }
    }
    (median(ones), median(others))
}

fn nanoseconds(call: &mut impl FnMut(usize)) -> f64 {
    let began = Instant::now();
    (0..CALLS).for_each(&mut *call);
    began.elapsed().as_secs_f64() * 1e9 / CALLS as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Allocations a call, once memory that is kept has been taken.
fn allocations(call: &mut impl FnMut(usize)) -> f64 {
    let info = allocation_counter::measure(|| (0..CALLS).for_each(&mut *call));
    info.count_total as f64 / CALLS as f64
}
