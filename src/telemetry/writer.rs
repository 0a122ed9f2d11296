//! The thread that writes the access log.
//!
//! Lines come ready-made; it only writes them. Under traffic it looks at the queue at intervals instead of waiting in it,
//! so that no request pays for waking it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;

use crate::config::LogTarget;

/// What the queue carries.
#[derive(Debug)]
pub(super) enum Item {
    Line(Vec<u8>),
    /// Open the file anew.
    Reopen,
    /// Answer when all before it is written.
    Flush(SyncSender<()>),
}

/// How often the queue is looked at while lines come.
const BUSY: Duration = Duration::from_millis(5);

/// So many looks in vain, and the writer waits in the queue until it is woken.
const LOOKS: u32 = 100;

/// Bytes written at once.
const BUFFER: usize = 64 << 10;

/// Where lines go.
pub(super) struct Writer {
    out: BufWriter<Out>,
    path: Option<PathBuf>,
    dropped: IntCounter,
    /// Lines in the buffer: lost when writing it fails.
    unwritten: u64,
    failing: bool,
}

enum Out {
    Stdout(io::Stdout),
    File(File),
}

impl Writer {
    /// Opens the target; none when the log is off.
    pub(super) fn open(target: &LogTarget, dropped: IntCounter) -> io::Result<Option<Writer>> {
        let (out, path) = match target {
            LogTarget::Off => return Ok(None),
            LogTarget::Stdout => (Out::Stdout(io::stdout()), None),
            LogTarget::File(path) => (Out::File(append(path)?), Some(path.clone())),
        };
        let out = BufWriter::with_capacity(BUFFER, out);
        Ok(Some(Writer { out, path, dropped, unwritten: 0, failing: false }))
    }

    /// Writes what the queue carries until its last sender is gone.
    pub(super) fn run(mut self, queue: &Receiver<Item>) {
        let mut looks = LOOKS;
        loop {
            let mut some = false;
            while let Ok(item) = queue.try_recv() {
                self.item(item);
                some = true;
            }
            self.flush();
            looks = if some { 0 } else { looks.saturating_add(1) };
            if looks < LOOKS {
                thread::park_timeout(BUSY);
                continue;
            }
            let Ok(item) = queue.recv() else { return };
            self.item(item);
            looks = 0;
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Line(line) => self.line(&line),
            Item::Reopen => self.reopen(),
            Item::Flush(done) => {
                self.flush();
                // Nobody waits any more: nothing to tell.
                let _ = done.try_send(());
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.unwritten += 1;
        if let Err(error) = self.out.write_all(line) {
            self.failed(&error);
        }
    }

    fn flush(&mut self) {
        if self.unwritten == 0 {
            return;
        }
        match self.out.flush() {
            Ok(()) => {
                self.unwritten = 0;
                self.failing = false;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Gives up what is in the buffer: a full disk must not fill the memory too. Told once, until it works again.
    fn failed(&mut self, error: &io::Error) {
        self.dropped.inc_by(std::mem::take(&mut self.unwritten));
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the access log cannot be written: lines are dropped");
        }
        match self.out.get_ref().again() {
            // Dropping a `BufWriter` would try its buffer once more.
            Ok(out) => {
                drop(std::mem::replace(&mut self.out, BufWriter::with_capacity(BUFFER, out)).into_parts())
            }
            Err(error) => tracing::error!(%error, "the access log cannot be kept open"),
        }
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match append(path) {
            Ok(file) => {
                self.flush();
                self.out = BufWriter::with_capacity(BUFFER, Out::File(file));
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the access log cannot be reopened: it goes on into the old file");
            }
        }
    }
}

impl Out {
    fn again(&self) -> io::Result<Out> {
        match self {
            Out::Stdout(_) => Ok(Out::Stdout(io::stdout())),
            Out::File(file) => file.try_clone().map(Out::File),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Stdout(out) => out.write(bytes),
            Out::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Stdout(out) => out.flush(),
            Out::File(file) => file.flush(),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
