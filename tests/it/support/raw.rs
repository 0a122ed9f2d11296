//! An upstream without manners: it does with each connection whatever the test says, and counts them.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::message;

pub struct RawUpstream {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl RawUpstream {
    /// `serve` gets each connection once bytes have come on it; none of them is read yet. Afterwards it is closed.
    pub fn start(serve: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> RawUpstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let (counting, serve) = (Arc::clone(&asked), Arc::new(serve));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (asked, serve) = (Arc::clone(&counting), Arc::clone(&serve));
                std::thread::spawn(move || {
                    // A peer that is gone is what the tests are about; one that stays for ever would leak a thread.
                    let _ = stream.set_write_timeout(Some(Duration::from_secs(60)));
                    if stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0) {
                        asked.fetch_add(1, Ordering::SeqCst);
                        let _ = serve(&mut stream);
                    }
                });
            }
        });
        RawUpstream { address, asked }
    }

    /// Connections on which something was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Reads one request with its body, as a server with manners does before it speaks.
pub fn read_request(stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let head = message::read_head(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    message::read_body(&mut reader, message::request_framing(&head)).map(drop)
}

/// Closes a connection with a reset, as a crash or a firewall does.
pub fn reset(stream: &mut TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))?;
    // With the handle that the caller still has, the connection ends when that one is dropped.
    Ok(())
}
