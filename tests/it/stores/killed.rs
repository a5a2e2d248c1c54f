//! Does an acknowledged batch survive a process that is killed, and does a batch ever survive in part?

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use bridge_host::store::{Record, Seq, Store};
use tests::append::{EVENTS, at, batch};

use super::{File, Place, log, replayed};

fn spawn(file: &File) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_append"));
    command.arg(file.path()).arg("nb").stdout(Stdio::piped()).spawn().unwrap()
}

/// Lets a process append until it has acknowledged so many batches, kills it, and gives the last place that it
/// acknowledged, if any.
fn append_until_killed(file: &File, batches: usize) -> Option<u64> {
    let mut child = spawn(file);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let mut last = lines.by_ref().take(batches).last();
    assert_eq!(last.is_some(), batches > 0, "it ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    last = lines.last().or(last);
    last.map(|line| line.parse().unwrap())
}

/// Lets a process begin to create the file, and kills it.
fn create_until_killed(file: &File) {
    let mut child = spawn(file);
    while !file.path().exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The log holds exactly the batches that the process appends, each of them whole.
fn check(log: &[Record]) {
    assert_eq!(log.len() % EVENTS, 0, "a batch is torn");
    for written in log.chunks(EVENTS) {
        let events: Vec<_> = written.iter().map(|record| record.event.clone()).collect();
        assert_eq!(events, batch(written[0].seq).unwrap());
        assert!(written.iter().all(|record| record.at == at()));
    }
}

#[test]
fn every_acknowledged_batch_survives_a_kill_and_none_is_torn() {
    let file = File::new();
    let mut before = Seq::FIRST;
    for batches in [1, 40, 0, 3, 200, 0, 17] {
        let acknowledged = append_until_killed(&file, batches).map_or(before, Seq);
        let store = file.store();
        assert!(store.next_seq() >= acknowledged, "{} is less than {acknowledged}", store.next_seq());
        check(&log(&store));
        assert_eq!(store.state(), &replayed(&log(&store)));
        before = store.next_seq();
    }
    assert!(before >= Seq(0).after(261 * EVENTS));
}

#[test]
fn a_process_killed_while_it_creates_the_file_leaves_one_that_serves() {
    for _ in 0..20 {
        let file = File::new();
        create_until_killed(&file);
        let mut store = file.store();
        let next = store.next_seq();
        store.append(next, at(), &batch(next).unwrap()).unwrap();
        check(&log(&store));
    }
}
