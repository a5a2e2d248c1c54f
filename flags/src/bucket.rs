//! The hash that decides: MurmurHash3 for 32 bits (x86 variant, seed 0), over several pieces as if they were one.

/// The bucket of a notebook in a flag's implicit `fractional`: `murmur3_x86_32(flag_key + notebook_id)` over UTF-8, seed 0.
///
/// A `fractional` whose weights add up to `sum` compares `(bucket as u64 * sum) >> 32` with its cumulative weights; the
/// share of all notebooks that stand below this one is `bucket / 2^32`.
pub fn bucket(flag_key: &str, notebook_id: &str) -> u32 {
    let mut hash = Murmur3::default();
    hash.write(flag_key.as_bytes());
    hash.write(notebook_id.as_bytes());
    hash.finish()
}

/// Where a hash falls among weights that add up to `sum`: a number from 0 to `sum - 1`.
pub(crate) fn position(hash: u32, sum: u64) -> u64 {
    (u64::from(hash) * sum) >> 32
}

#[derive(Default)]
pub(crate) struct Murmur3 {
    state: u32,
    /// The bytes after the last whole block, the first in the lowest place.
    tail: u32,
    length: usize,
}

impl Murmur3 {
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        while !self.length.is_multiple_of(4) {
            let Some((&first, rest)) = bytes.split_first() else { return };
            self.push(first);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<4>();
        for block in blocks {
            self.block(u32::from_le_bytes(*block));
        }
        self.length += blocks.len() * 4;
        for &byte in rest {
            self.push(byte);
        }
    }

    fn push(&mut self, byte: u8) {
        self.tail |= u32::from(byte) << (self.length % 4 * 8);
        self.length += 1;
        if self.length.is_multiple_of(4) {
            let block = std::mem::take(&mut self.tail);
            self.block(block);
        }
    }

    fn block(&mut self, block: u32) {
        self.state ^= scramble(block);
        self.state = self.state.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    pub(crate) fn finish(self) -> u32 {
        // A zero tail scrambles to zero, so an input of whole blocks needs no case of its own. The reference takes the
        // length modulo 2^32.
        let mut hash = self.state ^ scramble(self.tail) ^ (self.length as u32);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expect: u32) {
        assert_eq!(bucket("", key), expect, "whole");
        for split in (0..=key.len()).filter(|at| key.is_char_boundary(*at)) {
            assert_eq!(bucket(&key[..split], &key[split..]), expect, "split at {split}");
        }
    }

    #[test]
    fn flagd_s_vectors_hold_however_the_key_is_split() {
        check("ejOoVL", 0);
        check("bY9fO-", 1);
        check("SI7p-", 2_147_483_647);
        check("6LvT0", 2_147_483_648);
        check("ceQdGm", 4_294_967_295);
    }

    #[test]
    fn the_reference_values_of_smhasher_hold_for_each_length_of_tail() {
        check("", 0);
        check("a", 0x3c25_69b2);
        check("ab", 0x9bbf_d75f);
        check("abc", 0xb3dd_93fa);
        check("abcd", 0x43ed_676a);
        check("hello", 0x248b_fa47);
        check("The quick brown fox jumps over the lazy dog", 0x2e4f_f723);
    }

    #[test]
    fn a_key_outside_ascii_is_hashed_as_utf_8() {
        // Computed by an independent implementation of MurmurHash3 over the UTF-8 bytes.
        check("Notizbuch-ä", 0x0215_4a5e);
        check("ノート📓", 0xf489_f635);
    }

    #[test]
    fn a_position_stays_below_the_sum_of_weights() {
        assert_eq!(position(u32::MAX, 100), 99);
        assert_eq!(position(0, 100), 0);
        assert_eq!(position(u32::MAX, 2_147_483_647), 2_147_483_646);
    }
}
