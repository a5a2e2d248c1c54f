//! What does a file add to the contract? Reopening, many notebooks, and writers that do not know of each other.

use std::thread;

use bridge_host::store::{Seq, Store, StoreError};
use tests::append::{at, batch};

use super::{File, Place, cell, log, replayed};

#[test]
fn a_reopened_notebook_has_the_same_log_and_tables() {
    let file = File::new();
    let mut store = file.store();
    for _ in 0..5 {
        let next = store.next_seq();
        store.append(next, at(), &batch(next).unwrap()).unwrap();
    }
    let (tables, events) = (store.state().clone(), log(&store));
    drop(store);
    let store = file.store();
    assert_eq!((store.state(), log(&store), store.next_seq()), (&tables, events, Seq(35)));
}

#[test]
fn notebooks_in_one_file_do_not_see_each_other() {
    let file = File::new();
    let (mut one, mut two) = (file.notebook("one"), file.notebook("two"));
    assert_eq!(one.append(Seq(0), at(), &[cell("a")]), Ok(Seq(1)));
    assert_eq!(two.append(Seq(0), at(), &[cell("b"), cell("c")]), Ok(Seq(2)));
    assert_eq!(one.append(Seq(1), at(), &[cell("d")]), Ok(Seq(2)));
    drop((one, two));
    let cells = |id| file.notebook(id).state().cells().map(|row| row.id.to_string()).collect::<Vec<_>>();
    assert_eq!(cells("one"), ["a", "d"]);
    assert_eq!(cells("two"), ["b", "c"]);
    assert_eq!(file.notebook("two").notebook().as_str(), "two");
}

#[test]
fn who_is_late_has_a_conflict_and_then_the_events_of_the_other() {
    let file = File::new();
    let (mut one, mut two) = (file.store(), file.store());
    one.append(Seq(0), at(), &[cell("a")]).unwrap();
    let error = two.append(Seq(0), at(), &[cell("b")]).unwrap_err();
    assert_eq!(error, StoreError::Conflict { expected: Seq(0), actual: Seq(1) });
    assert_eq!(two.catch_up(), Ok(Seq(1)));
    assert_eq!(two.state(), one.state());
    assert_eq!(two.append(Seq(1), at(), &[cell("b")]), Ok(Seq(2)));
}

#[test]
fn an_append_beyond_the_tables_takes_in_the_events_between() {
    let file = File::new();
    let (mut one, mut two) = (file.store(), file.store());
    one.append(Seq(0), at(), &[cell("a")]).unwrap();
    assert_eq!(two.append(Seq(1), at(), &[cell("b")]), Ok(Seq(2)));
    assert_eq!(two.state(), &replayed(&log(&two)));
    assert_eq!(two.state().cells().count(), 2);
}

/// Appends this many cells, deciding anew whenever somebody else was first.
fn append_cells(file: &File, writer: usize, count: usize) {
    let mut store = file.store();
    for number in 0..count {
        let event = cell(&format!("w{writer}-{number}"));
        while let Err(error) = store.append(store.next_seq(), at(), std::slice::from_ref(&event)) {
            assert_eq!(error.code(), "STORE_CONFLICT", "{error}");
            store.catch_up().unwrap();
        }
    }
}

#[test]
fn writers_that_open_and_append_at_once_lose_nothing() {
    let file = File::new();
    thread::scope(|scope| {
        for writer in 0..3 {
            let file = &file;
            scope.spawn(move || append_cells(file, writer, 12));
        }
    });
    let store = file.store();
    assert_eq!((store.next_seq(), store.state().cells().count()), (Seq(36), 36));
}
