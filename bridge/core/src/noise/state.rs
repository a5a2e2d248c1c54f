//! What is known of noise as a text: counts by class and place, which are checked when they are read. What users have written is
//! not in it, so a run that waits for its pair is left behind; its session ends with the process anyway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Learned, MAX_NOISE_CLASSES, MAX_NOISE_PLACES, MAX_PLACE_BYTES, NoiseModel, Place};
use crate::normalise::RULES_VERSION;
use crate::sealed::{seal, unseal};

/// The version of the text.
const VERSION: u32 = 1;

/// The longest name of a class: a digest behind the name of a runtime type.
const MAX_CLASS_BYTES: usize = 256;

/// Why a text tells nothing of noise.
#[derive(Debug, thiserror::Error)]
pub enum NoiseStateError {
    /// It is not what was written, byte for byte.
    #[error("it is damaged, or something else: its checksum does not match")]
    Damaged,
    /// It is of another version.
    #[error("it has version `{0}`, and this build reads version {VERSION}")]
    Version(u32),
    /// It is not what a model writes.
    #[error("it is no record of noise: {0}")]
    Malformed(serde_json::Error),
    /// No run of comparisons can have come to these counts.
    #[error("its counts are not possible")]
    Impossible,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    build: String,
    rules: u32,
    seen: u64,
    classes: BTreeMap<String, WrittenClass>,
}

#[derive(Serialize, Deserialize)]
struct WrittenClass {
    seen: u64,
    pairs: u64,
    places: BTreeMap<String, [u64; 4]>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl NoiseModel {
    /// The counts as a text for [`NoiseModel::restore`], as this build has learned them.
    pub fn state(&self, build: &str) -> String {
        let has_pairs = |(key, learned): &(&String, &Learned)| learned.pairs > 0 && key.len() <= MAX_CLASS_BYTES;
        let classes = self.classes.iter().filter(has_pairs).map(|(key, learned)| (key.clone(), written(learned)));
        let classes = classes.collect();
        seal(&Written { version: VERSION, build: build.to_owned(), rules: RULES_VERSION, seen: self.seen, classes })
    }

    /// The model that was written so; nothing where another build has written it, or by other rules: it may have told places
    /// apart in another way.
    ///
    /// # Errors
    /// Where the text is not what was written, or cannot have been.
    pub fn restore(build: &str, state: &str) -> Result<Option<Self>, NoiseStateError> {
        let json = unseal(state).ok_or(NoiseStateError::Damaged)?;
        let Version { version } = serde_json::from_str(json).map_err(NoiseStateError::Malformed)?;
        if version != VERSION {
            return Err(NoiseStateError::Version(version));
        }
        let written: Written = serde_json::from_str(json).map_err(NoiseStateError::Malformed)?;
        if written.build != build || written.rules != RULES_VERSION {
            return Ok(None);
        }
        if !written.is_possible() {
            return Err(NoiseStateError::Impossible);
        }
        let classes = written.classes.into_iter().map(|(key, class)| (key, class.learned())).collect();
        Ok(Some(Self { classes, seen: written.seen }))
    }
}

impl Written {
    fn is_possible(&self) -> bool {
        let is_class = |(key, class): (&String, &WrittenClass)| {
            key.len() <= MAX_CLASS_BYTES && class.seen <= self.seen && class.is_possible()
        };
        self.classes.len() <= MAX_NOISE_CLASSES && self.classes.iter().all(is_class)
    }
}

impl WrittenClass {
    /// A difference of one kind counts for the narrower ones too, and once a pair.
    fn is_possible(&self) -> bool {
        let is_place = |(place, hits): (&String, &[u64; 4])| {
            place.len() <= MAX_PLACE_BYTES && hits.is_sorted_by(|narrow, wide| narrow >= wide) && hits[0] <= self.pairs
        };
        self.places.len() <= MAX_NOISE_PLACES && self.places.iter().all(is_place)
    }

    /// What is noisy follows from the counts, and is worked out anew.
    fn learned(self) -> Learned {
        let place = |hits| {
            let mut place = Place { hits, noisy: None };
            place.test(self.pairs);
            place
        };
        let places = self.places.into_iter().map(|(path, hits)| (path, place(hits))).collect();
        Learned { seen: self.seen, pairs: self.pairs, places, unpaired: None }
    }
}

fn written(learned: &Learned) -> WrittenClass {
    let places = learned.places.iter().map(|(path, place)| (path.clone(), place.hits)).collect();
    WrittenClass { seen: learned.seen, pairs: learned.pairs, places }
}
