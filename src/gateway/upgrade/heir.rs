//! The process that takes another's place: it has its sockets, and serves once it says that it can and is told to.
//!
//! Whatever goes wrong on the way ends it, and the other one goes on.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::channel::{Channel, Word};
use crate::config::{Problem, ProblemKind};
use crate::source::Claim;

/// One that takes over.
#[derive(Debug)]
pub struct Heir {
    channel: Channel,
    /// Which process of its line it is; the first is 1.
    pub generation: u64,
}

/// Open sockets by their names.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(String, OwnedFd)>);

impl Sockets {
    /// The socket of that name, if it is there and was not taken before.
    pub fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(held, _)| held == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Heir {
    /// Takes what the other process hands over by standard input.
    pub fn inherited() -> io::Result<(Heir, Sockets)> {
        let channel = Channel::inherited()?;
        let Word::Offer { generation, sockets } = channel.hear()? else {
            return Err(ErrorKind::InvalidData.into());
        };
        let taken: io::Result<Vec<_>> =
            sockets.into_iter().map(|name| channel.receive().map(|socket| (name, socket))).collect();
        Ok((Heir { channel, generation }, Sockets(taken?)))
    }

    /// Waits until the other one keeps still, and takes the state folder. What that one wrote last is there.
    pub fn claim(&self, state_dir: &Path) -> Result<Option<Claim>, Box<Problem>> {
        let freed = self.channel.say(&Word::Claim).and_then(|()| self.channel.hear::<Word>());
        match freed {
            Ok(Word::Yours) => Claim::take(state_dir),
            other => {
                let found = format!("the state folder was not handed over: {other:?}");
                Err(Box::new(Problem::error(ProblemKind::Config, "state_dir", found)))
            }
        }
    }

    /// Says that it accepts on every socket, and waits until it is told to stay. It blocks.
    pub fn ready(&self) -> io::Result<()> {
        self.channel.say(&Word::Ready)?;
        match self.channel.hear()? {
            Word::Serve => Ok(()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// Says why it cannot.
    pub fn failed(&self, why: &str) {
        // If nobody hears it, the other one has ended, or this one was told to stay before.
        let _ = self.channel.say(&Word::Failed { why: why.to_owned() });
    }
}

/// How a listening socket is called between the two: by the address that the configuration gives it. Of those that leave the port to the
/// system, there may be several: by what they are for, too.
pub fn name(what: &str, bind: std::net::SocketAddr) -> String {
    if bind.port() == 0 { format!("{what} {bind}") } else { bind.to_string() }
}

/// The socket of that name as one that listens.
pub fn listener(sockets: &mut Sockets, name: &str) -> Option<TcpListener> {
    sockets.take(name).map(TcpListener::from)
}
