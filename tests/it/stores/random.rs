//! After any events in any batches, do both stores hold the same log and the same tables, also after reopening the file?

use bridge_host::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};
use tests::append::at;
use tests::random::{self, Parts};

use super::{File, Memory, Place, event, log, replayed};

/// What only our stores have to keep: events of tomorrow, with numbers and texts that no host's database would take.
fn unknown() -> impl Strategy<Value = Parts> {
    let args = prop_oneof![any::<u64>().prop_map(Value::from), ".*".prop_map(|text| json!({ "text": [text, "\0"] }))];
    ("v[3-9]\\.[A-Z][a-z]{0,8}", args)
}

fn batches() -> impl Strategy<Value = Vec<Vec<Parts>>> {
    let event = prop_oneof![9 => random::event(), 1 => unknown()];
    prop::collection::vec(prop::collection::vec(event, 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_reopened_file_equals_memory_after_any_events(batches in batches()) {
        let (file, mut memory) = (File::new(), Memory::new().store());
        let mut store = file.store();
        for (number, batch) in batches.into_iter().enumerate() {
            let events: Vec<_> = batch.into_iter().map(|(name, args)| event(&name, args)).collect();
            let next = memory.next_seq();
            prop_assert_eq!(store.append(next, at(), &events), memory.append(next, at(), &events));
            prop_assert_eq!(store.state(), memory.state(), "live");
            if number % 2 == 1 {
                store = file.store();
            }
        }
        drop(store);
        let store = file.store();
        prop_assert_eq!(log(&store), log(&memory));
        prop_assert_eq!(store.state(), memory.state(), "reopened");
        prop_assert_eq!(&replayed(&log(&store)), memory.state(), "replayed");
    }
}
