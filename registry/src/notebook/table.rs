//! A table as SQLite keeps it: one row per primary key, read in insertion order.

use std::hash::Hash;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

/// Rows by primary key. A replaced row moves to the end, as `INSERT OR REPLACE` gives it a new rowid; an updated row
/// stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table<K: Hash + Eq, R> {
    rows: IndexMap<K, R>,
}

impl<K: Hash + Eq, R> Default for Table<K, R> {
    fn default() -> Self {
        Self { rows: IndexMap::new() }
    }
}

impl<K: Hash + Eq, R> Table<K, R> {
    /// `INSERT OR IGNORE`.
    pub(super) fn insert_new(&mut self, key: K, row: R) {
        self.rows.entry(key).or_insert(row);
    }

    /// `INSERT OR REPLACE`.
    pub(super) fn replace(&mut self, key: K, row: R) {
        self.rows.shift_remove(&key);
        self.rows.insert(key, row);
    }

    /// `UPDATE … WHERE key`: does nothing where the row is missing.
    pub(super) fn update(&mut self, key: &K, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(row);
        }
    }

    /// `UPDATE` of every row; `change` chooses.
    pub(super) fn update_all(&mut self, change: impl FnMut(&mut R)) {
        self.rows.values_mut().for_each(change);
    }

    /// Whether there was such a row.
    pub(super) fn delete(&mut self, key: &K) -> bool {
        self.rows.shift_remove(key).is_some()
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&R) -> bool) {
        self.rows.retain(|_, row| keep(row));
    }

    pub(super) fn get(&self, key: &K) -> Option<&R> {
        self.rows.get(key)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.values()
    }
}

impl<K: Hash + Eq, R: Serialize> Serialize for Table<K, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}
