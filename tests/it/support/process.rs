//! What the gateway's process holds: memory and open files.

use super::gateway::Gateway;
use super::wait::within;

/// What it held at some time.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Open files, sockets among them.
    pub descriptors: usize,
    /// KiB of resident memory.
    pub memory: u64,
}

/// KiB that a process may keep of a bad time: what its allocator does not give back, and what it learned.
const SLACK: u64 = 96 << 10;
/// Open files that it may have more: each kept connection to an upstream has two, and how many were needed at once is chance. Less than one for
/// each time that something goes wrong in a drill.
const KEPT: usize = 16;

impl Gateway {
    /// What it holds now.
    #[track_caller]
    pub fn held(&self) -> Held {
        let proc = format!("/proc/{}", self.pid());
        let descriptors = std::fs::read_dir(format!("{proc}/fd")).expect("it runs").count();
        let status = std::fs::read_to_string(format!("{proc}/status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
        let memory = memory.trim().trim_end_matches(" kB").parse().expect("a number");
        Held { descriptors, memory }
    }

    /// Waits until it has about as few files open as `before`, and asserts that its memory is about what it was.
    #[track_caller]
    pub fn is_back_at(&self, before: Held) {
        let mut now = self.held();
        within(
            std::time::Duration::from_secs(20),
            &format!("its open files are about {} again", before.descriptors),
            || {
                now = self.held();
                (now.descriptors <= before.descriptors + KEPT).then_some(())
            },
        );
        assert!(now.memory <= before.memory + SLACK, "{} KiB became {} KiB", before.memory, now.memory);
    }
}
