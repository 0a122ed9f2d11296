//! Upgrades: another process, of this binary or a newer one, takes the listening sockets over, and this one goes once that one serves.
//!
//! The sockets stay open from one process to the other, so that no connection is refused and none is lost in a queue. Until the new one
//! has said that it accepts, this one serves; if it never says so, nothing has happened. An operator asks through a socket in the state
//! folder, which only the folder's owner and root can use.

pub mod channel;
pub mod heir;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};

use crate::source::Hand;
use crate::source::hand::Resting;
use channel::{Channel, Word};
use heir::Sockets;

/// The socket's name in the state folder.
pub const NAME: &str = "upgrade.sock";
/// Set for the process that takes over.
pub const TAKING_OVER: &str = "FLAGWAY_TAKING_OVER";
/// How long a new process may take from one word to the next.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an operator's command may take to say what it wants.
const OPERATOR: Duration = Duration::from_secs(5);

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What is to run, absolute.
    pub binary: PathBuf,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// This process serves now.
    Serves(u32),
    /// Nothing has changed.
    Failed(String),
}

/// Whoever can be taken over.
pub struct Upgrades {
    control: UnixListener,
    offer: Arc<Offer>,
}

struct Offer {
    sockets: Vec<(String, OwnedFd)>,
    generation: u64,
    hand: Hand,
}

impl Upgrades {
    /// Opens the door for operators in the state folder, which this process has claimed; or takes it from the process before.
    pub fn open(
        state_dir: &Path,
        inherited: &mut Sockets,
        generation: u64,
        listeners: Vec<(String, TcpListener)>,
        hand: Hand,
    ) -> io::Result<Upgrades> {
        let path = std::path::absolute(state_dir.join(NAME))?;
        let name = path.display().to_string();
        let control = match inherited.take(&name) {
            Some(socket) => UnixListener::from(socket),
            None => bind(&path)?,
        };
        control.set_nonblocking(true)?;
        let listeners = listeners.into_iter().map(|(name, listener)| (name, OwnedFd::from(listener)));
        let control_too = (name, control.as_fd().try_clone_to_owned()?);
        let sockets = listeners.chain([control_too]).collect();
        Ok(Upgrades { control, offer: Arc::new(Offer { sockets, generation, hand }) })
    }

    /// Waits until another process has taken over; its number. An upgrade that is under way when this is dropped comes to nothing.
    pub async fn taken_over(&self) -> io::Result<u32> {
        let control = tokio::net::UnixListener::from_std(self.control.try_clone()?)?;
        loop {
            let (asking, _) = control.accept().await?;
            match self.asked(asking.into_std()?).await {
                Ok(process) => return Ok(process),
                Err(error) => tracing::error!(%error, "the upgrade failed; this process serves on"),
            }
        }
    }

    async fn asked(&self, asking: UnixStream) -> io::Result<u32> {
        asking.set_nonblocking(false)?;
        let asking = Channel::over(asking).with_patience(OPERATOR)?;
        let (ours, theirs) = Channel::pair()?;
        let ours = ours.with_patience(PATIENCE)?;
        let _closes = Closes(ours.try_clone()?);
        let offer = Arc::clone(&self.offer);
        let done = tokio::task::spawn_blocking(move || {
            let Ask { binary } = asking.hear()?;
            let done = offer.hand_over(&binary, &ours, theirs);
            let told = match &done {
                Ok(process) => Told::Serves(*process),
                Err(why) => Told::Failed(why.clone()),
            };
            // Whoever asked may have gone.
            let _ = asking.say(&told);
            done.map_err(io::Error::other)
        });
        done.await.map_err(io::Error::other)?
    }
}

/// Ends a conversation that nobody waits for any more.
struct Closes(Channel);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Offer {
    /// Starts the binary and lets it take over; its process. The error says why it did not: then everything is as before.
    fn hand_over(&self, binary: &Path, channel: &Channel, theirs: OwnedFd) -> Result<u32, String> {
        if std::process::id() == 1 {
            return Err("this gateway is the first process of its container, and all in it ends with it: replace the container".to_owned());
        }
        if !self.hand.durable() && !self.hand.overlay().is_empty() {
            return Err("what operators did by hand is in memory only and would be lost: make `state_dir` writable and restart, or release it".to_owned());
        }
        tracing::info!(binary = %binary.display(), "an upgrade begins");
        let mut child = command(binary)
            .stdin(Stdio::from(theirs))
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", binary.display()))?;
        let mut resting = None;
        match self.converse(channel, &mut resting, child.id()) {
            Ok(()) => Ok(child.id()),
            Err(error) => {
                let why = why(&error, &mut child);
                resting.into_iter().for_each(Resting::goes_on);
                Err(why)
            }
        }
    }

    fn converse(&self, channel: &Channel, resting: &mut Option<Resting>, process: u32) -> io::Result<()> {
        let sockets = self.sockets.iter().map(|(name, _)| name.clone()).collect();
        channel.say(&Word::Offer { generation: self.generation + 1, sockets })?;
        for (_, socket) in &self.sockets {
            channel.send(socket.as_fd())?;
        }
        loop {
            match channel.hear()? {
                Word::Claim => {
                    *resting = Some(self.hand.rest());
                    channel.say(&Word::Yours)?;
                }
                Word::Ready => {
                    // Before it speaks for itself: only who is known to be the service may.
                    let _ = sd_notify::notify(&[NotifyState::MainPid(process)]);
                    return channel.say(&Word::Serve);
                }
                Word::Failed { why } => return Err(io::Error::other(why)),
                Word::Offer { .. } | Word::Yours | Word::Serve => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// This process's own command line, with another binary.
fn command(binary: &Path) -> Command {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut command = Command::new(binary);
    command.args(arguments).env(TAKING_OVER, "true");
    command
}

/// Ends what is left of the new process, and says what was wrong.
fn why(error: &io::Error, child: &mut Child) -> String {
    // It may be gone already.
    let _ = child.kill();
    let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    match error.kind() {
        ErrorKind::Other => error.to_string(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("the new process was not ready within {} s", PATIENCE.as_secs())
        }
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
            format!(
                "the new process ended before it was ready ({status}); the gateway's log has what it said"
            )
        }
        _ => format!("the new process does not say what was expected: {error}"),
    }
}

/// Nobody else has the folder: what is there of this name is left of a process that is gone.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let control = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(control)
}
