//! The newest records in memory, for a gateway without a state folder.

use std::collections::VecDeque;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Records, and bytes of their lines, that are kept.
const RECORDS: usize = 1_000;
const BYTES: usize = 16 << 20;

/// A line of the audit, with its break.
pub(super) type Line = Arc<[u8]>;

/// The lines, oldest first; clones are of one log. Who reads them has what stood when it began.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<ArcSwap<VecDeque<Line>>>);

impl Memory {
    pub(super) fn append(&mut self, line: Vec<u8>) {
        let mut lines = VecDeque::clone(&self.0.load());
        lines.push_back(line.into());
        let mut bytes: usize = lines.iter().map(|line| line.len()).sum();
        while lines.len() > RECORDS || bytes > BYTES {
            let Some(oldest) = lines.pop_front() else { break };
            bytes -= oldest.len();
        }
        self.0.store(Arc::new(lines));
    }

    pub(super) fn lines(&self) -> Arc<VecDeque<Line>> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_a_reader_keeps_what_it_has() {
        let mut memory = Memory::default();
        let before = memory.lines();
        (0..RECORDS + 5).for_each(|at| memory.append(at.to_string().into_bytes()));
        let lines = memory.clone().lines();
        assert_eq!((before.len(), lines.len()), (0, RECORDS));
        assert_eq!((&*lines[0], &*lines[RECORDS - 1]), (&b"5"[..], &b"1004"[..]));
    }

    #[test]
    fn long_lines_are_fewer() {
        let mut memory = Memory::default();
        (0..40).for_each(|_| memory.append(vec![b'x'; 1 << 20]));
        assert_eq!(memory.lines().len(), 16);
    }
}
