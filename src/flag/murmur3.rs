//! MurmurHash3 x86 32-bit with seed 0, streaming: the hash under `fractional`.
//!
//! By Austin Appleby, public domain (SMHasher). The state is small and `Copy`, so that a constant prefix is hashed once
//! when a rule loads and an evaluation goes on from there.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// A hash under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Murmur3 {
    hash: u32,
    /// The bytes since the last whole block, little-endian; `length % 4` of them.
    tail: u32,
    /// Bytes so far; the algorithm keeps the low 32 bits.
    length: u32,
}

impl Murmur3 {
    /// Takes more bytes; how they are cut makes no difference.
    pub fn write(&mut self, bytes: &[u8]) {
        // A block begins in the tail and ends in the bytes, or the tail is empty.
        let bits = 8 * (self.length % 4);
        let (blocks, rest) = bytes.as_chunks::<4>();
        for block in blocks {
            let block = u64::from(u32::from_le_bytes(*block)) << bits | u64::from(self.tail);
            self.mix(block as u32);
            self.tail = (block >> 32) as u32;
        }
        self.length = self.length.wrapping_add((blocks.len() as u32).wrapping_mul(4));
        for byte in rest {
            self.push(*byte);
        }
    }

    /// Bytes taken so far.
    pub fn length(self) -> usize {
        self.length as usize
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> u32 {
        let mut hash = self.hash ^ scramble(self.tail) ^ self.length;
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }

    fn push(&mut self, byte: u8) {
        self.tail |= u32::from(byte) << (8 * (self.length % 4));
        self.length = self.length.wrapping_add(1);
        if self.length.is_multiple_of(4) {
            let block = std::mem::take(&mut self.tail);
            self.mix(block);
        }
    }

    fn mix(&mut self, block: u32) {
        self.hash = (self.hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(bytes: &[u8]) -> u32 {
        let mut hasher = Murmur3::default();
        hasher.write(bytes);
        hasher.finish()
    }

    #[test]
    fn smhasher_vectors() {
        for (text, expected) in [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(hash(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn equals_an_independent_implementation(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            let expected = murmur3::murmur3_32(&mut bytes.as_slice(), 0).expect("reading a slice cannot fail");
            prop_assert_eq!(hash(&bytes), expected);
        }

        #[test]
        fn the_cut_makes_no_difference(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9)) {
            let mut hasher = Murmur3::default();
            for part in &parts {
                hasher.write(part);
            }
            prop_assert_eq!(hasher.finish(), hash(&parts.concat()));
        }
    }
}
