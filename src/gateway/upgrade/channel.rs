//! What a gateway and the one that takes its place say to each other: a line of JSON each time, and open sockets.
//!
//! Old and new binaries talk here: words keep their meaning, and fields that are not known are no error.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a line at most.
const LONGEST: usize = 1 << 20;

/// One end.
#[derive(Debug)]
pub struct Channel(UnixStream);

/// What is said between the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Word {
    /// The old one: these are the sockets, which follow in this order.
    Offer {
        /// Which process of the line the new one is; the first is 1.
        generation: u64,
        /// As `Sockets` names them.
        sockets: Vec<String>,
    },
    /// The new one: its configuration is good, it wants the state folder.
    Claim,
    /// The old one: it keeps still, the state folder is free.
    Yours,
    /// The new one: it accepts on every socket.
    Ready,
    /// The old one: it goes, the new one stays. Without this word the new one ends.
    Serve,
    /// The new one: why it cannot take over.
    Failed {
        /// For an operator.
        why: String,
    },
}

impl Channel {
    /// An end, and the other one to be handed to a process.
    pub fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Channel(ours), theirs.into()))
    }

    /// The end that was handed to this process as its standard input, which is empty from now on.
    pub fn inherited() -> io::Result<Channel> {
        let ours = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Channel(UnixStream::from(ours)))
    }

    /// Over a connection.
    pub fn over(stream: UnixStream) -> Channel {
        Channel(stream)
    }

    /// How long to wait for a word.
    pub fn with_patience(self, patience: Duration) -> io::Result<Channel> {
        self.0.set_read_timeout(Some(patience))?;
        self.0.set_write_timeout(Some(patience))?;
        Ok(self)
    }

    /// The same end once more, to close it from another thread.
    pub fn try_clone(&self) -> io::Result<Channel> {
        self.0.try_clone().map(Channel)
    }

    /// Ends the conversation, on both sides and for every clone.
    pub fn close(&self) {
        // Whose other end is gone is closed.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Says something.
    pub fn say(&self, word: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        (&self.0).write_all(&line)
    }

    /// Hears what is said next. The end of the conversation is `UnexpectedEof`.
    pub fn hear<W: DeserializeOwned>(&self) -> io::Result<W> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        // Byte by byte: behind the line there may be a socket, which comes with a byte of its own.
        loop {
            (&self.0).read_exact(&mut byte)?;
            if byte == *b"\n" {
                return Ok(serde_json::from_slice(&line)?);
            }
            line.push(byte[0]);
            if line.len() > LONGEST {
                return Err(ErrorKind::FileTooLarge.into());
            }
        }
    }

    /// Hands over an open socket.
    pub fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let sockets = [socket];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        // There is room for one.
        let _ = ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        match sendmsg(&self.0, &[IoSlice::new(b"+")], &mut ancillary, SendFlags::NOSIGNAL)? {
            1 => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    /// Takes over an open socket.
    pub fn receive(&self) -> io::Result<OwnedFd> {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let sockets = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        sockets.flatten().next().ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn ends() -> (Channel, Channel) {
        let (ours, theirs) = Channel::pair().unwrap();
        (ours, Channel(UnixStream::from(theirs)))
    }

    #[test]
    fn words_and_sockets_arrive_in_their_order() {
        let (old, new) = ends();
        let listeners =
            [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let offer = Word::Offer { generation: 2, sockets: vec!["a".to_owned(), "b".to_owned()] };
        old.say(&offer).unwrap();
        listeners.iter().for_each(|listener| old.send(listener.as_fd()).unwrap());
        old.say(&Word::Serve).unwrap();
        assert_eq!(new.hear::<Word>().unwrap(), offer);
        for listener in listeners {
            let address = listener.local_addr().unwrap();
            let inherited = TcpListener::from(new.receive().unwrap());
            assert_eq!(inherited.local_addr().unwrap(), address);
            drop(listener);
            let waiting = TcpStream::connect(address).expect("it listens on, whoever bound it");
            assert_eq!(inherited.accept().unwrap().1, waiting.local_addr().unwrap());
        }
        assert_eq!(new.hear::<Word>().unwrap(), Word::Serve);
    }

    #[test]
    fn the_end_of_the_conversation_is_told_from_a_word() {
        let (old, new) = ends();
        drop(old);
        assert_eq!(new.hear::<Word>().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let (old, new) = ends();
        drop(old);
        assert_eq!(new.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let (old, new) = ends();
        let old = old.with_patience(Duration::from_millis(1)).unwrap();
        assert!(matches!(
            old.hear::<Word>().unwrap_err().kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
        new.say(&Word::Ready).unwrap();
        old.close();
        assert!(new.say(&Word::Ready).is_err());
    }

    #[test]
    fn what_a_later_version_adds_to_a_word_is_no_error() {
        let (old, new) = ends();
        old.say(&serde_json::json!({"word": "failed", "why": "no", "since": 3})).unwrap();
        assert_eq!(new.hear::<Word>().unwrap(), Word::Failed { why: "no".to_owned() });
        old.say(&serde_json::json!({"word": "unheard"})).unwrap();
        assert!(new.hear::<Word>().is_err());
    }
}
