//! Which mismatches are written down: of each signature the first few and a sample of the others, within bounds of number and
//! bytes. All are counted, and so is everything that is not kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::redact::hex;

/// The first records of a signature are kept: they are closest to what brought it about.
pub const FIRST_RECORDS: u32 = 5;

/// Places for a sample of the later ones, each with the same chance: what is rare about a signature shows in it.
pub const RESERVOIR: u32 = 5;

/// Signatures that are told apart. A rollout that has more is not looked at one by one.
pub const MAX_RECORDED_SIGNATURES: usize = 1000;

/// Bytes of all records together: a disk that a service shares does not notice them.
pub const MAX_STORE_BYTES: u64 = 64 * 1024 * 1024;

/// Digits of the name that a signature has in the names of its records.
const KEY_DIGITS: usize = 12;

/// When, and how often, a signature was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Executions, or orders of them.
    pub count: u64,
    /// The first time, in milliseconds since 1970.
    pub first_wall_ms: i64,
    /// The last time.
    pub last_wall_ms: i64,
}

/// What was counted, since the folder was empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordTotals {
    /// Mismatches.
    pub seen: u64,
    /// Records that are there.
    pub kept: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Mismatches that are not, because there are enough of their signature.
    pub sampled_out: u64,
    /// Records that were there and made room: for others of their signature, for another signature, for their bytes.
    pub replaced: u64,
    /// Records that could not be written.
    pub failed: u64,
}

/// What is to be done about a mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// How often its signature has been seen, this time included.
    pub seen: Seen,
    /// The name under which a record of it is to be kept; one of this name is replaced. None: it is only counted.
    pub keep: Option<String>,
    /// Names of records that are to be removed: their signature has made room.
    pub remove: Vec<String>,
}

/// Decides what is kept. The same mismatches in the same order leave the same records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Keeper {
    totals: RecordTotals,
    signatures: BTreeMap<String, Signature>,
    /// Counts what was seen, to tell which signature has been quiet for longest.
    tick: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Signature {
    seen: Seen,
    tick: u64,
    /// Bytes by place.
    kept: BTreeMap<u32, u64>,
}

impl Keeper {
    /// What was counted.
    pub fn totals(&self) -> RecordTotals {
        self.totals
    }

    /// The signatures, by the names that they have in the names of records.
    pub fn signatures(&self) -> impl Iterator<Item = (&str, Seen)> {
        self.signatures.iter().map(|(key, signature)| (key.as_str(), signature.seen))
    }

    /// The names of all records that are there.
    pub fn names(&self) -> BTreeSet<String> {
        self.signatures.iter().flat_map(|(key, signature)| signature.names(key)).collect()
    }

    /// Takes in a mismatch.
    pub fn see(&mut self, signature: &str, wall_ms: i64) -> Sighting {
        let key = key(signature);
        let remove = if self.signatures.contains_key(&key) { Vec::new() } else { self.make_place() };
        self.tick += 1;
        self.totals.seen += 1;
        let seen = Seen { count: 0, first_wall_ms: wall_ms, last_wall_ms: wall_ms };
        let known = self.signatures.entry(key.clone()).or_insert(Signature { seen, tick: 0, kept: BTreeMap::new() });
        known.tick = self.tick;
        known.seen.count += 1;
        known.seen.last_wall_ms = wall_ms;
        let place = place(&key, known.seen.count);
        if place.is_none() {
            self.totals.sampled_out += 1;
        }
        Sighting { seen: known.seen, keep: place.map(|place| format!("{key}-{place}")), remove }
    }

    /// Makes room for a record of this size; gives the names of those that have to go, or none where it fits nowhere. Those of
    /// the signatures that have been quiet for longest go first, those of its own never.
    pub fn make_room(&mut self, name: &str, bytes: u64) -> Option<Vec<String>> {
        let (key, place) = parse(name)?;
        let own = self.signatures.get(key).map_or(0, Signature::bytes);
        let before = self.signatures.get(key).and_then(|signature| signature.kept.get(&place)).copied().unwrap_or(0);
        if own - before + bytes > MAX_STORE_BYTES {
            return None;
        }
        let mut removed = Vec::new();
        while self.totals.bytes - before + bytes > MAX_STORE_BYTES {
            let others = self.signatures.iter().filter(|(other, one)| *other != key && !one.kept.is_empty());
            let quietest = others.min_by_key(|(_, one)| one.tick).map(|(other, _)| other.clone())?;
            removed.extend(self.forget_records(&quietest));
        }
        Some(removed)
    }

    /// A record of this size is there now.
    pub fn kept(&mut self, name: &str, bytes: u64) {
        let Some((key, place)) = parse(name) else { return };
        let Some(signature) = self.signatures.get_mut(key) else { return };
        match signature.kept.insert(place, bytes) {
            Some(before) => {
                self.totals.replaced += 1;
                self.totals.bytes -= before;
            }
            None => self.totals.kept += 1,
        }
        self.totals.bytes += bytes;
    }

    /// A record could not be written.
    pub fn failed(&mut self) {
        self.totals.failed += 1;
    }

    /// Takes in a record that is there although nothing is known of it: what knew of it is lost.
    pub fn found(&mut self, name: &str, seen: Seen, bytes: u64) {
        let Some((key, place)) = parse(name) else { return };
        self.tick += 1;
        let signature =
            self.signatures.entry(key.to_owned()).or_insert(Signature { seen, tick: self.tick, kept: BTreeMap::new() });
        let before = signature.seen.count;
        // Those that were kept later saw more of the others.
        signature.seen.count = before.max(seen.count);
        signature.seen.first_wall_ms = signature.seen.first_wall_ms.min(seen.first_wall_ms);
        signature.seen.last_wall_ms = signature.seen.last_wall_ms.max(seen.last_wall_ms);
        let news = if signature.kept.is_empty() { signature.seen.count } else { signature.seen.count - before };
        if signature.kept.insert(place, bytes).is_none() {
            self.totals.kept += 1;
            self.totals.bytes += bytes;
        }
        self.totals.seen += news;
    }

    /// A record is gone, although nobody here has removed it.
    pub fn lost(&mut self, name: &str) {
        let Some((key, place)) = parse(name) else { return };
        if let Some(bytes) = self.signatures.get_mut(key).and_then(|signature| signature.kept.remove(&place)) {
            self.totals.bytes -= bytes;
            self.totals.kept -= 1;
            self.totals.replaced += 1;
        }
    }

    /// The signature that has been quiet for longest makes place for a new one.
    fn make_place(&mut self) -> Vec<String> {
        if self.signatures.len() < MAX_RECORDED_SIGNATURES {
            return Vec::new();
        }
        let quietest = self.signatures.iter().min_by_key(|(_, one)| one.tick).map(|(key, _)| key.clone());
        let Some(key) = quietest else { return Vec::new() };
        let removed = self.forget_records(&key);
        self.signatures.remove(&key);
        removed
    }

    fn forget_records(&mut self, key: &str) -> Vec<String> {
        let Some(signature) = self.signatures.get_mut(key) else { return Vec::new() };
        let names: Vec<String> = signature.names(key).collect();
        self.totals.bytes -= signature.bytes();
        self.totals.kept -= names.len() as u64;
        self.totals.replaced += names.len() as u64;
        signature.kept.clear();
        names
    }
}

impl Signature {
    fn bytes(&self) -> u64 {
        self.kept.values().sum()
    }

    fn names(&self, key: &str) -> impl Iterator<Item = String> {
        self.kept.keys().map(move |place| format!("{key}-{place}"))
    }
}

/// The place of the nth mismatch of a signature: its own among the first ones, then one of the sample with a chance that keeps
/// all chances equal.
fn place(key: &str, count: u64) -> Option<u32> {
    let (first, sample) = (u64::from(FIRST_RECORDS), u64::from(RESERVOIR));
    let chosen = match count {
        0 => return None,
        count if count <= first + sample => count - 1,
        count => first + draw(key, count) % (count - first),
    };
    u32::try_from(chosen).ok().filter(|place| *place < FIRST_RECORDS + RESERVOIR)
}

/// A number that depends on nothing but the mismatch: a restart draws as the process before it would have.
fn draw(key: &str, count: u64) -> u64 {
    let hash = Sha256::new().chain_update(key).chain_update(count.to_le_bytes()).finalize();
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn key(signature: &str) -> String {
    hex(&Sha256::digest(signature), KEY_DIGITS)
}

fn parse(name: &str) -> Option<(&str, u32)> {
    let (key, place) = name.split_once('-')?;
    let is_key = key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let place = place.parse().ok().filter(|place| *place < FIRST_RECORDS + RESERVOIR)?;
    is_key.then_some((key, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sees a signature so often, keeping what is to be kept, each of this size.
    fn see(keeper: &mut Keeper, signature: &str, times: i64, bytes: u64) -> Vec<Sighting> {
        let sightings: Vec<Sighting> = (0..times).map(|at| keeper.see(signature, at)).collect();
        for name in sightings.iter().filter_map(|sighting| sighting.keep.as_ref()) {
            assert!(keeper.make_room(name, bytes).is_some());
            keeper.kept(name, bytes);
        }
        sightings
    }

    #[test]
    fn the_first_five_stay_and_five_of_the_others_take_turns() {
        let mut keeper = Keeper::default();
        let sightings = see(&mut keeper, "s", 1000, 10);
        let kept: Vec<(usize, u32)> = sightings
            .iter()
            .enumerate()
            .filter_map(|(at, sighting)| Some((at, parse(sighting.keep.as_deref()?)?.1)))
            .collect();
        assert_eq!(kept[..10].iter().map(|(_, place)| *place).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert!(kept[10..].iter().all(|(_, place)| (FIRST_RECORDS..FIRST_RECORDS + RESERVOIR).contains(place)));
        // 5 ln(995 / 5) = 26 replacements are to be expected.
        assert!((10..50).contains(&(kept.len() - 10)), "{}", kept.len());
        let totals = keeper.totals();
        assert_eq!((totals.seen, totals.kept, totals.bytes), (1000, 10, 100));
        assert_eq!(totals.sampled_out + totals.replaced + totals.kept, 1000);
        assert_eq!(sightings[999].seen, Seen { count: 1000, first_wall_ms: 0, last_wall_ms: 999 });
    }

    #[test]
    fn a_sample_gives_all_the_same_chance() {
        let late = (0..400).filter(|n| {
            let key = key(&n.to_string());
            let last = (6..=105).rev().find(|count| place(&key, *count) == Some(FIRST_RECORDS));
            last.is_some_and(|count| count > 55)
        });
        let share = late.count() as f64 / 400.0;
        assert!((0.4..0.6).contains(&share), "{share} of the samples are from the second half");
    }

    #[test]
    fn the_quietest_signature_makes_place_and_goes_with_its_records() {
        let mut keeper = Keeper::default();
        for at in 0..MAX_RECORDED_SIGNATURES {
            see(&mut keeper, &at.to_string(), 1, 10);
        }
        see(&mut keeper, "0", 1, 10);
        let sighting = keeper.see("one more", 1);
        assert_eq!(sighting.remove, [format!("{}-0", key("1"))]);
        assert_eq!(keeper.signatures().count(), MAX_RECORDED_SIGNATURES);
        assert_eq!(keeper.totals().seen, MAX_RECORDED_SIGNATURES as u64 + 2);
    }

    #[test]
    fn bytes_are_bounded_and_what_fits_nowhere_is_refused() {
        let mut keeper = Keeper::default();
        see(&mut keeper, "old", 2, MAX_STORE_BYTES / 4);
        see(&mut keeper, "new", 2, MAX_STORE_BYTES / 4);
        let name = keeper.see("new", 3).keep.unwrap();
        assert_eq!(keeper.make_room(&name, MAX_STORE_BYTES), None);
        assert_eq!(keeper.make_room(&name, MAX_STORE_BYTES / 4).unwrap().len(), 2);
        keeper.kept(&name, MAX_STORE_BYTES / 4);
        assert_eq!((keeper.totals().kept, keeper.totals().bytes), (3, MAX_STORE_BYTES / 4 * 3));
    }

    #[test]
    fn counts_go_on_after_a_restart_and_can_be_guessed_from_records_alone() {
        let mut keeper = Keeper::default();
        let sightings = see(&mut keeper, "s", 7, 10);
        let restarted: Keeper = serde_json::from_str(&serde_json::to_string(&keeper).unwrap()).unwrap();
        assert_eq!(restarted, keeper);
        let mut rebuilt = Keeper::default();
        for sighting in sightings {
            rebuilt.found(&sighting.keep.unwrap(), sighting.seen, 10);
        }
        assert_eq!(rebuilt.totals(), keeper.totals());
        assert_eq!(rebuilt.names(), keeper.names());
        assert_eq!(rebuilt.see("s", 8), keeper.see("s", 8));
    }
}
