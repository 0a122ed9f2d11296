//! The peers behind the gateway: one that answers, one that takes connections and says nothing.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Connections that the silent one holds; by the time more come the oldest have been given up.
const HELD: usize = 256;

/// Answers every request at once with the same JSON.
pub struct Upstream {
    pub address: SocketAddr,
    served: Arc<AtomicU64>,
}

impl Upstream {
    pub fn start() -> Upstream {
        let (listener, address) = listen();
        let served = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&served);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&counter);
                thread::spawn(move || serve(stream, &served));
            }
        });
        Upstream { address, served }
    }

    /// Requests so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

/// An upstream that accepts and hangs.
pub fn hanging() -> SocketAddr {
    let (listener, address) = listen();
    thread::spawn(move || {
        let mut held = VecDeque::new();
        for stream in listener.incoming() {
            held.push_back(stream);
            held.drain(..held.len().saturating_sub(HELD));
        }
    });
    address
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Requests come one at a time and have no body.
fn serve(mut stream: TcpStream, served: &AtomicU64) {
    let item = r#"{"sku": "a-1", "title": "A thing", "price": {"amount": 1299, "currency": "EUR"}}"#;
    let body = format!(r#"{{"items": [{}], "total": 7794}}"#, [item; 6].join(", "));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut buffer, mut filled) = (vec![0; 8 << 10], 0);
    let _ = stream.set_nodelay(true);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            served.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
